/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who runs next: virtual time, weights, and what a thread gains or owes when it wakes, waits or stays.
 */
#ifndef MORPHEUS_BPF_POLICY_FAIRNESS_H
#define MORPHEUS_BPF_POLICY_FAIRNESS_H

#include "bpf/policy/claims.h"

#define POLICY_WEIGHT_UNIT 100ull   /* sched_ext's weight of a nice-0 thread */
#define POLICY_MOST_WEIGHT 1000000u /* nice -20 in a group of the greatest weight */
/* One slice of the lightest thread (nice 19, weight 1) is a hundred slices of virtual time. */
#define POLICY_MOST_AHEAD_SLICES 128ull

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
	return most < POLICY_MOST_AHEAD_SLICES * t->slice_ns
		       ? most
		       : POLICY_MOST_AHEAD_SLICES * t->slice_ns;
}

/*
 * Where a thread enters a queue: one that slept keeps at most one slice of credit, and none starts so
 * far ahead (it is light, or comes from another queue, with another clock) that it would starve.
 */
POLICY_FN __u64 policy_vtime_clamp(__u64 vtime, __u64 clock, __u32 round,
				   const struct morpheus_tunables *t)
{
	__u64 oldest = clock - t->slice_ns, newest = clock + policy_most_ahead(round, t);

	if (policy_vtime_before(vtime, oldest))
		return oldest;
	return policy_vtime_before(newest, vtime) ? newest : vtime;
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

/*
 * When does a woken ordinary thread take the CPU from another, which has it for `ran_ns`? If it lags by more than the
 * hint lead; but not before that one has run for a while, or threads that wake each other all the time, as those at
 * the two ends of a pipe, would do little but switch. The delay from now, or POLICY_NEVER.
 */
#define POLICY_WAKEUP_GRANULARITY_NS 500000ull
#define POLICY_NEVER (~0ull)

POLICY_FN __u64 policy_wakeup_preempts_in(__u64 waker_vtime, __u64 current_vtime, __u64 ran_ns,
					  __u32 weight, const struct morpheus_tunables *t)
{
	__u64 delay = ran_ns < POLICY_WAKEUP_GRANULARITY_NS ? POLICY_WAKEUP_GRANULARITY_NS - ran_ns
							    : 0;

	if (!policy_vtime_before(waker_vtime + t->hint_lead_ns,
				 current_vtime + policy_vtime_delta(delay, weight)))
		return POLICY_NEVER;
	return delay;
}

#endif
