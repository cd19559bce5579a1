/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every decision of Morpheus as a pure function: who may be asked to yield, when a slice ends, when
 * the CPU may be taken back, what a slice costs. No kernel header, no map, no clock: the same file is
 * compiled into the BPF programs, the daemon, the unit tests and the simulator.
 */
#ifndef MORPHEUS_BPF_POLICY_BPF_H
#define MORPHEUS_BPF_POLICY_BPF_H

#include "proto/events.h"

#ifdef __cplusplus
#define POLICY_FN static inline
#else
#include <stdbool.h>
#define POLICY_FN static inline __attribute__((always_inline, unused))
#endif

#define POLICY_WEIGHT_UNIT 100ull /* sched_ext's weight of a nice-0 thread */
#define POLICY_MOST_WEIGHT 1000000u /* nice -20 in a group of the greatest weight */
/* One slice of the lightest thread (nice 19, weight 1) is a hundred slices of virtual time. */
#define POLICY_MOST_AHEAD_SLICES 128ull

/* What a worker claims, copied once out of its runtime line so that it cannot change under a decision. */
struct policy_claims {
	__u32 critical;
	__u32 escapable;
	__u32 policy;
	__u64 last_ack_seq;
};

/* A hint is open until it is acknowledged or withdrawn. */
POLICY_FN bool policy_hint_open(const struct morpheus_worker *w)
{
	return w->seq != w->ended_seq;
}

/* Only an exact answer counts: a claim from the future must not silence hints for ever. */
POLICY_FN bool policy_acknowledged(const struct morpheus_worker *w, __u64 last_ack_seq)
{
	return policy_hint_open(w) && last_ack_seq == w->seq;
}

/* From decision to acknowledgement, by the worker's claim, kept inside what can be true. */
POLICY_FN __u64 policy_ack_latency(const struct morpheus_worker *w, __u64 claimed_ns, __u64 now)
{
	if (claimed_ns < w->hinted_at_ns || claimed_ns > now)
		claimed_ns = now;
	return claimed_ns > w->hinted_at_ns ? claimed_ns - w->hinted_at_ns : 0;
}

POLICY_FN bool policy_slice_nearly_over(const struct morpheus_worker *w,
					const struct morpheus_tunables *t, __u64 now)
{
	return now - w->slice_start_ns + t->hint_lead_ns >= t->slice_ns;
}

/* A worker that can be asked now, which is not yet to say that it should be. */
POLICY_FN bool policy_can_be_asked(const struct morpheus_worker *w)
{
	return w->state == MORPHEUS_WORKER_RUNNING && w->run_start_ns && !policy_hint_open(w);
}

/*
 * Should the worker that has the CPU be asked now? `waiters` are threads that woke and wait for this
 * CPU; `contended` says that anybody at all is queued here. Nobody waits: never.
 */
POLICY_FN __u32 policy_hint(const struct morpheus_worker *w, const struct morpheus_tunables *t,
			    __u64 now, __u32 waiters, bool contended)
{
	if (!policy_can_be_asked(w))
		return MORPHEUS_HINT_NONE;
	if (waiters && now - w->run_start_ns >= t->min_run_ns)
		return MORPHEUS_HINT_PRESSURE;
	if ((waiters || contended) && policy_slice_nearly_over(w, t, now))
		return MORPHEUS_HINT_BUDGET;
	return MORPHEUS_HINT_NONE;
}

/*
 * Another dispatch queue is much longer than the one that this worker's CPU serves: should it make room
 * for somebody from there? As with BUDGET, when its slice is nearly over.
 */
POLICY_FN bool policy_hint_imbalance(const struct morpheus_worker *w,
				     const struct morpheus_tunables *t, __u64 now)
{
	return policy_can_be_asked(w) && policy_slice_nearly_over(w, t, now);
}

/* Waiting threads, there and here. Moving one must not make the other queue the longer one. */
POLICY_FN bool policy_imbalanced(__u32 there, __u32 here)
{
	return there > 2 * here + 2;
}

/* Of two workers that could make room for the same waiter: is `a` asked rather than `b`? */
POLICY_FN bool policy_asked_before(const struct morpheus_worker *a, const struct morpheus_worker *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return (__s64)(a->slice_start_ns - b->slice_start_ns) < 0;
}

/*
 * A hint whose deadline passed unanswered; counted once. Of a hint that another CPU is just giving the
 * time may not be known yet.
 */
POLICY_FN bool policy_hint_late(const struct morpheus_worker *w, const struct morpheus_tunables *t,
				__u64 now)
{
	return policy_hint_open(w) && w->timed_seq == w->seq && now - w->hinted_at_ns >= t->grace_ns;
}

/* How long after a hint the last call comes. */
POLICY_FN __u64 policy_call_after(const struct morpheus_tunables *t)
{
	return t->grace_ns > t->hint_lead_ns ? t->grace_ns - t->hint_lead_ns : 0;
}

/*
 * The time for the last call: the open hint is soon late, and then the CPU can be taken. No new hint:
 * the one that is open says so. Whoever cannot lose the CPU by escalation is not called.
 */
POLICY_FN bool policy_last_call(__u32 mode, const struct morpheus_worker *w,
				const struct policy_claims *c, const struct morpheus_tunables *t,
				__u64 now)
{
	return mode == MORPHEUS_ENFORCED && policy_hint_open(w) && w->timed_seq == w->seq &&
	       w->called_seq != w->seq && c->last_ack_seq != w->seq && c->escapable == 1 &&
	       c->policy != MORPHEUS_POLICY_NONE && c->policy < MORPHEUS_POLICY_COUNT &&
	       now - w->hinted_at_ns >= policy_call_after(t);
}

/*
 * When to look at this worker again, as a delay from now: at the earliest moment at which one of the
 * decisions above can change without anybody waking up. At least `floor`, so that a tunable of 0 or a
 * deadline in the past cannot make a timer storm. `looked`: it was just looked at. What was due and not
 * done then is not done a moment later either: a worker that is alone past its slice is looked at once in
 * the time of a slice.
 */
POLICY_FN __u64 policy_next_look(const struct morpheus_worker *w, const struct morpheus_tunables *t,
				 bool looked, __u64 now, __u64 floor)
{
	__u64 lead = t->hint_lead_ns < t->slice_ns ? t->hint_lead_ns : t->slice_ns;
	__u64 turn = t->slice_ns - lead; /* no longer: a worker whose slice begins just now needs it then */
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

/*
 * The gate of escalation: all seven conditions, in the order in which they are reported. Called only
 * on the worker's own CPU while the worker is interrupted there.
 */
POLICY_FN __u32 policy_escalation_gate(__u32 mode, const struct morpheus_worker *w,
				       const struct policy_claims *c,
				       const struct morpheus_tunables *t, __u64 now)
{
	if (mode != MORPHEUS_ENFORCED)
		return MORPHEUS_BLOCK_MODE;
	if (w->state != MORPHEUS_WORKER_RUNNING)
		return MORPHEUS_BLOCK_STATE;
	if (c->policy == MORPHEUS_POLICY_NONE || c->policy >= MORPHEUS_POLICY_COUNT)
		return MORPHEUS_BLOCK_POLICY;
	if (c->escapable != 1)
		return MORPHEUS_BLOCK_NOT_ESCAPABLE;
	if (c->critical)
		return MORPHEUS_BLOCK_CRITICAL;
	if (!policy_hint_open(w) || c->last_ack_seq == w->seq)
		return MORPHEUS_BLOCK_ACKNOWLEDGED;
	if (!w->run_start_ns || now - w->run_start_ns <= t->slice_ns + t->grace_ns)
		return MORPHEUS_BLOCK_EARLY;
	return MORPHEUS_BLOCK_NONE;
}

enum policy_slice {
	POLICY_SLICE_KEEP,    /* time is left */
	POLICY_SLICE_RENEW,   /* nobody waits: a new slice begins */
	POLICY_SLICE_DEFER,   /* over, but critical or freshly asked: go on for now */
	POLICY_SLICE_END,     /* over */
	POLICY_SLICE_OVERRUN, /* over, and deferred for as long as the cap allows */
	POLICY_SLICE_TAKEN,   /* a hint was ignored, or its group is out of time */
};

/* It goes on. */
POLICY_FN bool policy_goes_on(__u32 verdict)
{
	return verdict < POLICY_SLICE_END;
}

/* Its time is over, but nobody takes the CPU from it: it may have another slice. */
POLICY_FN bool policy_may_stay(__u32 verdict)
{
	return verdict <= POLICY_SLICE_END;
}

/* What becomes of a worker's slice under Enforced mode. The cap holds for the whole slice. */
POLICY_FN __u32 policy_slice(const struct morpheus_worker *w, const struct policy_claims *c,
			     const struct morpheus_tunables *t, __u64 now, bool contended)
{
	__u64 ran = now - w->slice_start_ns;
	bool fresh = policy_hint_open(w) && c->last_ack_seq != w->seq &&
		     now - w->hinted_at_ns < t->grace_ns;

	if (!contended)
		return POLICY_SLICE_RENEW;
	if (ran < t->slice_ns)
		return POLICY_SLICE_KEEP;
	if (!c->critical && !fresh)
		return POLICY_SLICE_END;
	return ran < t->hold_cap_ns ? POLICY_SLICE_DEFER : POLICY_SLICE_OVERRUN;
}

/*
 * A bound on CPU time: `quota_ns` in each period, on all CPUs together; 0: none. What was overdrawn, by
 * the length of a tick or of a critical section, is owed; what was not used is lost but for a little.
 */
struct policy_bandwidth {
	__u64 quota_ns;
	__u64 period_ns;
	__u64 refilled_ns;
	__u64 left_ns; /* signed */
};

#define POLICY_BANDWIDTH_KEPT_NS 5000000ull

/* The start of the period that `now` is in, given an earlier one's. */
POLICY_FN __u64 policy_next_refill(const struct policy_bandwidth *b, __u64 refilled_ns, __u64 now)
{
	if (!b->period_ns || now < refilled_ns + b->period_ns)
		return refilled_ns;
	return now - (now - refilled_ns) % b->period_ns;
}

/* What is added to `left_ns` when so much time, whole periods, has passed. */
POLICY_FN __u64 policy_refill(const struct policy_bandwidth *b, __u64 passed_ns)
{
	__u64 periods = b->period_ns ? passed_ns / b->period_ns : 0;
	__u64 most = b->quota_ns + POLICY_BANDWIDTH_KEPT_NS - b->left_ns; /* below 2^63 */
	__u64 added = (periods < 1000 ? periods : 1000) * b->quota_ns;

	if ((__s64)most < 0)
		return 0;
	return added < most ? added : most;
}

/* A worker whose group is out of time keeps the CPU only inside a critical section, up to the cap. */
POLICY_FN bool policy_stops_now(const struct morpheus_worker *w, const struct policy_claims *c,
				const struct morpheus_tunables *t, __u64 now)
{
	return !c->critical || now - w->slice_start_ns >= t->hold_cap_ns;
}

POLICY_FN bool policy_kicks(__u32 policy)
{
	return policy == MORPHEUS_POLICY_THREAD_KICK || policy == MORPHEUS_POLICY_HYBRID;
}

POLICY_FN bool policy_throttles(__u32 policy)
{
	return policy == MORPHEUS_POLICY_CGROUP_THROTTLE || policy == MORPHEUS_POLICY_HYBRID;
}

/* Virtual time for a run: a nice-0 thread's advances with the clock. */
POLICY_FN __u64 policy_vtime_delta(__u64 ran_ns, __u32 weight)
{
	return ran_ns * POLICY_WEIGHT_UNIT / (weight ? weight : 1);
}

/*
 * A worker's weight. Its priority is a claim, so it can only take away: a client can be modest, but gets
 * no more than its nice value and its control group give it. It keeps a tenth: modest is not dead.
 */
POLICY_FN __u32 policy_worker_weight(__u32 weight, __u32 priority)
{
	if (priority >= MORPHEUS_PRIORITY_DEFAULT)
		return weight;
	if (priority < MORPHEUS_PRIORITY_DEFAULT / 10)
		priority = MORPHEUS_PRIORITY_DEFAULT / 10;
	weight = (__u32)((__u64)weight * priority / MORPHEUS_PRIORITY_DEFAULT);
	return weight ? weight : 1;
}

/* A thread's weight in a control group, of which 100 is the ordinary one; over again for its parents. */
POLICY_FN __u32 policy_group_weight(__u32 weight, __u32 group_weight)
{
	__u64 scaled = (__u64)weight * group_weight / 100;

	if (scaled > POLICY_MOST_WEIGHT)
		return POLICY_MOST_WEIGHT;
	return scaled ? (__u32)scaled : 1;
}

/* Virtual times wrap; the order is by signed distance. */
POLICY_FN bool policy_vtime_before(__u64 a, __u64 b)
{
	return (__s64)(a - b) < 0;
}

/* A round of slices: of each of so many that wait for `cpus`, and of one more. */
POLICY_FN __u32 policy_round(__u32 waiting, __u32 cpus)
{
	return 1 + waiting / (cpus ? cpus : 1);
}

/*
 * How far ahead of its queue's clock a thread may wait: as far as the clock comes in POLICY_LONGEST_WAIT_NS, while
 * each slice's worth takes a round. One slice of the lightest thread is a hundred of virtual time, and the kernel
 * ejects a scheduler that lets anybody wait for 10 s. Few are looked at: `policy_is_far_ahead`.
 */
#define POLICY_LONGEST_WAIT_NS 3000000000ull

POLICY_FN bool policy_is_far_ahead(__u64 vtime, __u64 clock, const struct morpheus_tunables *t)
{
	return policy_vtime_before(clock + 2 * t->slice_ns, vtime);
}

POLICY_FN __u64 policy_most_ahead(__u32 round, const struct morpheus_tunables *t)
{
	__u64 most = POLICY_LONGEST_WAIT_NS / (round ? round : 1);

	if (most < 2 * t->slice_ns)
		return 2 * t->slice_ns;
	return most < POLICY_MOST_AHEAD_SLICES * t->slice_ns ? most : POLICY_MOST_AHEAD_SLICES * t->slice_ns;
}

/*
 * Where a thread enters a queue: one that slept keeps at most one slice of credit, and none starts so
 * far ahead (it is light, or comes from another queue, with another clock) that it would starve.
 */
POLICY_FN __u64 policy_vtime_clamp(__u64 vtime, __u64 clock, __u32 round, const struct morpheus_tunables *t)
{
	__u64 oldest = clock - t->slice_ns, newest = clock + policy_most_ahead(round, t);

	if (policy_vtime_before(vtime, oldest))
		return oldest;
	return policy_vtime_before(newest, vtime) ? newest : vtime;
}

/*
 * A slice is over, or was given up: does another follow at once, since the first that waits is owed less?
 * The kernel asks for the next thread before it queues the present one, so this is where a thread gets what
 * its weight is worth, and who stood back for a longer stint of another what that one owes. A yield is worth
 * a slice, as in the kernel's own class. Nobody has to wait for longer than for a critical section.
 */
POLICY_FN bool policy_stays(__u64 vtime, __u64 first, __u32 weight, __u64 turn_ns, bool yielded,
			    const struct morpheus_tunables *t)
{
	if (yielded)
		vtime += policy_vtime_delta(t->slice_ns, weight);
	return turn_ns < t->hold_cap_ns && policy_vtime_before(vtime, first);
}

/* A worker stays. */
POLICY_FN void policy_stay(struct morpheus_worker *w, __u64 now)
{
	w->slice_start_ns = now;
}

/*
 * A woken thread for which a worker makes room goes ahead of all virtual times: otherwise the place that
 * one worker frees would go to the next one, and a thread that wakes often, at its fair share, would
 * wait for all of them. Being ahead is a place in the queue far before any true virtual time; who runs
 * from there pays as everybody does, and each CPU gives at most half of its time that way.
 */
#define POLICY_AHEAD (1ull << 62)

/* Of a place in a queue, as a distance from the queue's clock. */
POLICY_FN bool policy_is_ahead(__u64 distance)
{
	return policy_vtime_before(distance, -(POLICY_AHEAD / 2));
}

/* The virtual time behind a place in a queue whose clock is `clock`. */
POLICY_FN __u64 policy_vtime_of(__u64 place, __u64 clock)
{
	return policy_is_ahead(place - clock) ? place + POLICY_AHEAD : place;
}

/*
 * `ahead_until`: when all that ran ahead on this CPU is paid for, as policy_charge_ahead() keeps it. The
 * hold cap, which bounds the patience with workers, bounds what may be owed to them as well.
 */
POLICY_FN bool policy_may_go_ahead(__u64 ahead_until, __u64 now, const struct morpheus_tunables *t)
{
	return !policy_vtime_before(now + t->hold_cap_ns, ahead_until);
}

/*
 * A stretch run ahead is followed by as much time for the others. Longer than a slice nobody is meant to
 * run; what is beyond (a late tick, a pause of the machine below) is not held against those who follow.
 */
POLICY_FN __u64 policy_charge_ahead(__u64 ahead_until, __u64 now, __u64 ran_ns, __u32 weight,
				    const struct morpheus_tunables *t)
{
	__u64 ran = ran_ns < t->slice_ns ? ran_ns : t->slice_ns;

	return (policy_vtime_before(ahead_until, now) ? now : ahead_until) +
	       2 * policy_vtime_delta(ran, weight);
}

/* Who slept owes at most one slice of its own: more would be a wait without any hope of a good end. */
POLICY_FN __u64 policy_vtime_woken(__u64 vtime, __u64 clock, __u32 weight,
				   const struct morpheus_tunables *t)
{
	__u64 newest = clock + policy_vtime_delta(t->slice_ns, weight);

	return policy_vtime_before(newest, vtime) ? newest : vtime;
}

/*
 * A CPU has two queues, and only one moves its clock while the other is served: their threads' distances need
 * not change for as long as both are crowded. So the one that was passed over has its turn once each thread
 * of the other has had a slice: a round.
 */
POLICY_FN bool policy_passed_over_long(__u64 since_ns, __u64 now, __u32 round,
				       const struct morpheus_tunables *t)
{
	return now - since_ns >= t->slice_ns * round;
}

/*
 * Since when it counts as passed over, after one of its threads ran for `ran_ns`. Its turn is over when a slice
 * was used, not when a thread that wakes takes the CPU from the one that had it; and while it has its turn
 * it is not passed over, or two of its threads, with slices as long as a round, would have every turn.
 */
POLICY_FN __u64 policy_passed_over_since(__u64 since_ns, __u64 now, __u64 ran_ns, __u32 round)
{
	__u64 served = ran_ns * (1ull + round);

	return served < now - since_ns ? since_ns + served : now;
}

/*
 * When does a woken ordinary thread take the CPU from another, which has it for `ran_ns`? If it lags by more than the
 * hint lead; but not before that one has run for a while, or threads that wake each other all the time, as those at
 * the two ends of a pipe, would do little but switch. The delay from now, or POLICY_NEVER.
 */
#define POLICY_WAKEUP_GRANULARITY_NS 500000ull
#define POLICY_NEVER (~0ull)

POLICY_FN __u64 policy_wakeup_preempts_in(__u64 waker_vtime, __u64 current_vtime, __u64 ran_ns, __u32 weight,
					  const struct morpheus_tunables *t)
{
	__u64 delay = ran_ns < POLICY_WAKEUP_GRANULARITY_NS ? POLICY_WAKEUP_GRANULARITY_NS - ran_ns : 0;

	if (!policy_vtime_before(waker_vtime + t->hint_lead_ns, current_vtime + policy_vtime_delta(delay, weight)))
		return POLICY_NEVER;
	return delay;
}

/* How crowded a CPU is, 0-100: the part of it that one of `runnable` equal threads does not get. */
POLICY_FN __u32 policy_pressure(__u32 runnable)
{
	return runnable <= 1 ? 0 : MORPHEUS_PRESSURE_MAX - MORPHEUS_PRESSURE_MAX / runnable;
}

#endif
