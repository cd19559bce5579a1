/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual time: what each thread has had of the CPUs, divided by its weight. A queue is sorted by
 * it, and its clock is the virtual time of the thread that last came from it. A thread's distance
 * from the clock says what it owes the others, or what they owe it.
 */
#ifndef MORPHEUS_BPF_POLICY_FAIRNESS_H
#define MORPHEUS_BPF_POLICY_FAIRNESS_H

#include "bpf/policy/claims.h"

#define POLICY_WEIGHT_UNIT 100ull   /* sched_ext's weight of a nice-0 thread */
#define POLICY_MOST_WEIGHT 1000000u /* nice -20 in a group of the greatest weight */
/* One slice of the lightest thread (nice 19, weight 1) is a hundred slices of virtual time. */
#define POLICY_MOST_OWED_SLICES 128ull

/* Virtual time for a run: that of a nice-0 thread advances with the wall clock. */
POLICY_FN __u64 policy_vtime_delta(__u64 ran_ns, __u32 weight)
{
	return ran_ns * POLICY_WEIGHT_UNIT / (weight ? weight : 1);
}

/*
 * A worker's weight. Its priority is a claim, so it can only take away: a client may be modest, but
 * gets no more than its nice value and its control group give it. A tenth remains in any case: a
 * modest worker must still get somewhere.
 */
POLICY_FN __u32 policy_worker_weight(__u32 weight, __u32 priority)
{
	const __u32 least = MORPHEUS_PRIORITY_DEFAULT / 10;
	const __u32 part = priority < least ? least : priority;
	const __u64 scaled = (__u64)weight * part / MORPHEUS_PRIORITY_DEFAULT;

	if (part >= MORPHEUS_PRIORITY_DEFAULT)
		return weight;
	return scaled ? (__u32)scaled : 1;
}

/*
 * A thread's weight in a control group of weight `group_weight`, of which 100 is the ordinary one.
 * Once more for each of the group's parents.
 */
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

/*
 * How many slices one CPU of `cpus` needs until each of `waiting` threads, and one more, has had
 * one.
 */
POLICY_FN __u32 policy_round(__u32 waiting, __u32 cpus)
{
	return 1 + waiting / (cpus ? cpus : 1);
}

/*
 * How much a thread may owe at most when it enters a queue, as a distance from the queue's clock:
 * as far as the clock comes in POLICY_LONGEST_WAIT_NS, while each slice's worth takes a round. One
 * slice of the lightest thread is a hundred of virtual time, and the kernel ejects a scheduler that
 * lets a thread wait for 10 s.
 */
#define POLICY_LONGEST_WAIT_NS 3000000000ull

/* Few threads owe this much: only for them is it worth the cost to find out how long a round is. */
POLICY_FN bool policy_owes_much(__u64 vtime, __u64 clock, const struct morpheus_tunables *t)
{
	return policy_vtime_before(clock + 2 * t->slice_ns, vtime);
}

POLICY_FN __u64 policy_most_owed(__u32 round, const struct morpheus_tunables *t)
{
	__u64 most = POLICY_LONGEST_WAIT_NS / (round ? round : 1);

	if (most < 2 * t->slice_ns)
		return 2 * t->slice_ns;
	return most < POLICY_MOST_OWED_SLICES * t->slice_ns ? most
							    : POLICY_MOST_OWED_SLICES * t->slice_ns;
}

/*
 * Where a thread enters a queue. One that slept keeps at most one slice of credit, and none owes so
 * much (it is light, or comes from another queue, with another clock) that it would starve.
 */
POLICY_FN __u64 policy_vtime_clamp(__u64 vtime, __u64 clock, __u32 round,
				   const struct morpheus_tunables *t)
{
	__u64 oldest = clock - t->slice_ns, newest = clock + policy_most_owed(round, t);

	if (policy_vtime_before(vtime, oldest))
		return oldest;
	return policy_vtime_before(newest, vtime) ? newest : vtime;
}

/* A thread that slept owes at most one slice of its own: no more than one wait settles that. */
POLICY_FN __u64 policy_vtime_woken(__u64 vtime, __u64 clock, __u32 weight,
				   const struct morpheus_tunables *t)
{
	__u64 newest = clock + policy_vtime_delta(t->slice_ns, weight);

	return policy_vtime_before(newest, vtime) ? newest : vtime;
}

#endif
