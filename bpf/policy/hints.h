/* SPDX-License-Identifier: GPL-2.0-only */
/* Which worker is hinted to yield, and when; which acknowledgement counts; when a hint is late. */
#ifndef MORPHEUS_BPF_POLICY_HINTS_H
#define MORPHEUS_BPF_POLICY_HINTS_H

#include "bpf/policy/claims.h"

/* A hint is open until it is acknowledged or withdrawn. */
POLICY_FN bool policy_hint_open(const struct morpheus_worker_record *w)
{
	return w->seq != w->ended_seq;
}

/* Only the exact sequence counts: a claim about the future must not silence hints for ever. */
POLICY_FN bool policy_acknowledged(const struct morpheus_worker_record *w, __u64 last_ack_seq)
{
	return policy_hint_open(w) && last_ack_seq == w->seq;
}

/*
 * From decision to acknowledgement. The worker claims the time; what cannot be true counts as
 * `now`.
 */
POLICY_FN __u64 policy_ack_latency(const struct morpheus_worker_record *w, __u64 claimed_ns,
				   __u64 now)
{
	__u64 at = claimed_ns < w->hinted_at_ns || claimed_ns > now ? now : claimed_ns;

	return at > w->hinted_at_ns ? at - w->hinted_at_ns : 0;
}

POLICY_FN bool policy_slice_nearly_over(const struct morpheus_worker_record *w,
					const struct morpheus_tunables *t, __u64 now)
{
	return now - w->slice_start_ns + t->hint_lead_ns >= t->slice_ns;
}

/* A worker that can be hinted now, which does not mean that it should be. */
POLICY_FN bool policy_can_be_hinted(const struct morpheus_worker_record *w)
{
	return w->state == MORPHEUS_WORKER_RUNNING && w->run_start_ns && !policy_hint_open(w);
}

/*
 * Should the worker that has the CPU be hinted now? `waiters` are threads that woke and wait for
 * this CPU; `contended` says that some thread is queued here, woken or not. If none waits: never.
 */
POLICY_FN __u32 policy_hint(const struct morpheus_worker_record *w,
			    const struct morpheus_tunables *t, __u64 now, __u32 waiters,
			    bool contended)
{
	if (!policy_can_be_hinted(w))
		return MORPHEUS_HINT_NONE;
	if (waiters && now - w->run_start_ns >= t->min_run_ns)
		return MORPHEUS_HINT_PRESSURE;
	if ((waiters || contended) && policy_slice_nearly_over(w, t, now))
		return MORPHEUS_HINT_BUDGET;
	return MORPHEUS_HINT_NONE;
}

/*
 * Another dispatch queue is much longer than the one that this worker's CPU serves: should the
 * worker make room for a thread from there? As with BUDGET, when its slice is nearly over.
 */
POLICY_FN bool policy_hint_imbalance(const struct morpheus_worker_record *w,
				     const struct morpheus_tunables *t, __u64 now)
{
	return policy_can_be_hinted(w) && policy_slice_nearly_over(w, t, now);
}

/* Of two workers that could make room for the same waiter: is `a` hinted rather than `b`? */
POLICY_FN bool policy_hinted_before(const struct morpheus_worker_record *a,
				    const struct morpheus_worker_record *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return (__s64)(a->slice_start_ns - b->slice_start_ns) < 0;
}

/*
 * Is the open hint past its deadline? While another CPU is still giving the hint, its time may not
 * be known yet: then it is not late. Nor is one that another CPU gave after `now` was read here.
 */
POLICY_FN bool policy_hint_late(const struct morpheus_worker_record *w,
				const struct morpheus_tunables *t, __u64 now)
{
	return policy_hint_open(w) && now >= w->hinted_at_ns && w->timed_seq == w->seq &&
	       now - w->hinted_at_ns >= t->grace_ns;
}

/* How long after a hint the last call comes. */
POLICY_FN __u64 policy_call_after(const struct morpheus_tunables *t)
{
	return t->grace_ns > t->hint_lead_ns ? t->grace_ns - t->hint_lead_ns : 0;
}

/*
 * Is it time for the last call? The open hint will soon be late, and then the CPU can be taken. It
 * is no new hint: the open one says so. A worker that cannot lose the CPU by escalation is not
 * called.
 */
POLICY_FN bool policy_last_call(__u32 mode, const struct morpheus_worker_record *w,
				const struct policy_claims *c, const struct morpheus_tunables *t,
				__u64 now)
{
	return mode == MORPHEUS_ENFORCED && policy_hint_open(w) && w->timed_seq == w->seq &&
	       w->called_seq != w->seq && c->last_ack_seq != w->seq && c->escapable == 1 &&
	       c->policy != MORPHEUS_POLICY_NONE && c->policy < MORPHEUS_POLICY_COUNT &&
	       now - w->hinted_at_ns >= policy_call_after(t);
}

/*
 * When to look at this worker again, as a delay from now: at the earliest moment at which one of
 * the decisions above can change without a wakeup. At least `floor`, so that a tunable of 0 or a
 * deadline in the past causes no storm of timers.
 *
 * `looked`: the worker was looked at just now. What was due and not done then is not done a moment
 * later either: a worker that is alone past its slice is looked at once in the time of a slice.
 */
POLICY_FN __u64 policy_next_look(const struct morpheus_worker_record *w,
				 const struct morpheus_tunables *t, bool looked, __u64 now,
				 __u64 floor)
{
	__u64 lead = t->hint_lead_ns < t->slice_ns ? t->hint_lead_ns : t->slice_ns;
	/* At most this: a worker whose slice begins just now needs the look by then. */
	__u64 turn = t->slice_ns - lead;
	__u64 at = w->slice_start_ns + turn;

	if (policy_hint_open(w) && w->lost_seq == w->seq)
		at = now + turn;
	else if (policy_hint_open(w) && w->hinted_at_ns + policy_call_after(t) > now)
		at = w->hinted_at_ns + policy_call_after(t);
	else if (policy_hint_open(w))
		at = w->hinted_at_ns + t->grace_ns;
	else if (t->min_run_ns && w->run_start_ns + t->min_run_ns > now &&
		 w->run_start_ns + t->min_run_ns < at)
		at = w->run_start_ns + t->min_run_ns; /* a waiter may come before then */
	else if (looked && at <= now)
		at = now + turn;
	return at > now + floor ? at - now : floor;
}

/* How crowded a CPU is, 0-100: the part of it that one of `runnable` equal threads does not get. */
POLICY_FN __u32 policy_pressure(__u32 runnable)
{
	return runnable <= 1 ? 0 : MORPHEUS_PRESSURE_MAX - MORPHEUS_PRESSURE_MAX / runnable;
}

#endif
