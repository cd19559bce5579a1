/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which thread runs next where virtual time alone does not say: woken threads that go ahead of it,
 * a thread that stays for another slice, a CPU's two queues, wakeup preemption, and help for
 * another cache's queue.
 */
#ifndef MORPHEUS_BPF_POLICY_TURNS_H
#define MORPHEUS_BPF_POLICY_TURNS_H

#include "bpf/policy/fairness.h"

/*
 * A woken thread for which a worker makes room goes ahead of all virtual times. Otherwise the next
 * worker would get the place that one worker frees, and a thread that wakes often, at its fair
 * share, would wait for all of them. Being ahead is a place in the queue far before any true
 * virtual time. A thread that runs from there pays as every thread does, and each CPU gives at most
 * half of its time that way.
 */
#define POLICY_AHEAD (1ull << 62)
#define POLICY_MOST_WAITERS 8 /* that are noted for a CPU */

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
 * `owed`: the thread's distance from its queue's clock. One that owes more than a slice has had
 * what room could be made for it. `waiters`: those that woke before it and still wait; room is made
 * for as many as are noted. `ahead_until`: when all that ran ahead on this CPU is paid for, see
 * policy_charge_ahead(). The hold cap, which bounds the patience with workers, bounds also how long
 * they may be put off.
 */
POLICY_FN bool policy_may_go_ahead(__u64 owed, __u32 waiters, __u64 ahead_until, __u64 now,
				   const struct morpheus_tunables *t)
{
	return !policy_vtime_before(t->slice_ns, owed) && waiters < POLICY_MOST_WAITERS &&
	       !policy_vtime_before(now + t->hold_cap_ns, ahead_until);
}

/*
 * After a run ahead the others get as much time. At most a slice is charged: a longer run (a late
 * tick, a pause of the machine below) is not held against the threads that come after. Nor is the
 * weight of a light one: it pays for that by virtual time.
 */
POLICY_FN __u64 policy_charge_ahead(__u64 ahead_until, __u64 now, __u64 ran_ns, __u32 weight,
				    const struct morpheus_tunables *t)
{
	__u64 ran = ran_ns < t->slice_ns ? ran_ns : t->slice_ns;

	return (policy_vtime_before(ahead_until, now) ? now : ahead_until) +
	       2 * policy_vtime_delta(ran, policy_at_least_ordinary(weight));
}

/*
 * A slice is over or was given up: does the thread have another at once, since the first that waits
 * is owed less? The kernel asks for the next thread before it queues the present one. So this is
 * where a thread gets what its weight is worth, and where one that stood back for a longer turn of
 * another gets what that one owes it. A yield costs a slice, as in the kernel's own class. No
 * thread has to wait for longer than for a critical section.
 */
POLICY_FN bool policy_stays(__u64 vtime, __u64 first, __u32 weight, __u64 turn_ns, bool yielded,
			    const struct morpheus_tunables *t)
{
	__u64 cost = yielded ? policy_vtime_delta(t->slice_ns, weight) : 0;

	return turn_ns < t->hold_cap_ns && policy_vtime_before(vtime + cost, first);
}

/*
 * A CPU has two queues, and a queue's clock follows its own threads. While the other queue was
 * served, it moves by this: by what each of the threads that compete, `competing`, could have had
 * of a run of `ran_ns`, if all weigh as much as the one that had it. So those that are passed over
 * come to be owed more, and those that owe pay it off, however few of their queue run.
 */
POLICY_FN __u64 policy_passed_over(__u64 ran_ns, __u32 weight, __u32 competing)
{
	return policy_vtime_delta(ran_ns, weight) / (competing ? competing : 1);
}

/*
 * When does a woken ordinary thread take the CPU from another, which has had it for `ran_ns`? If it
 * lags by more than the hint lead; but not before that one has run for a while, or threads that
 * keep waking each other, as those at the two ends of a pipe, would do little but switch. The delay
 * from now, or POLICY_NEVER.
 */
#define POLICY_WAKEUP_GRANULARITY_NS 500000ull
#define POLICY_NEVER (~0ull)

POLICY_FN __u64 policy_wakeup_preempts_in(__u64 woken_vtime, __u64 current_vtime, __u64 ran_ns,
					  __u32 weight, const struct morpheus_tunables *t)
{
	__u64 delay = ran_ns < POLICY_WAKEUP_GRANULARITY_NS ? POLICY_WAKEUP_GRANULARITY_NS - ran_ns
							    : 0;

	if (!policy_vtime_before(woken_vtime + t->hint_lead_ns,
				 current_vtime + policy_vtime_delta(delay, weight)))
		return POLICY_NEVER;
	return delay;
}

/*
 * Should a CPU help another cache's queue? `there` and `here` are threads that wait. Moving one
 * must not make the other queue the longer one.
 */
POLICY_FN bool policy_imbalanced(__u32 there, __u32 here)
{
	return there > 2 * here + 2;
}

#endif
