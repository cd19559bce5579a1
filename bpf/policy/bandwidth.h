/* SPDX-License-Identifier: GPL-2.0-only */
/* Bounds on the CPU time of control groups: when they are refilled, and with how much. */
#ifndef MORPHEUS_BPF_POLICY_BANDWIDTH_H
#define MORPHEUS_BPF_POLICY_BANDWIDTH_H

#include "bpf/policy/claims.h"

/*
 * A bound on CPU time: `quota_ns` in each period, on all CPUs together; 0: none. What was
 * overdrawn, by the length of a tick or of a critical section, is owed; what was not used is lost,
 * except for POLICY_BANDWIDTH_KEPT_NS.
 */
struct policy_bandwidth {
	__u64 quota_ns;
	__u64 period_ns;
	__u64 refilled_ns;
	__u64 left_ns; /* signed */
};

#define POLICY_BANDWIDTH_KEPT_NS 5000000ull

/* The start of the period that `now` is in, given that of an earlier one. */
POLICY_FN __u64 policy_next_refill(const struct policy_bandwidth *b, __u64 refilled_ns, __u64 now)
{
	if (!b->period_ns || now < refilled_ns + b->period_ns)
		return refilled_ns;
	return now - (now - refilled_ns) % b->period_ns;
}

/* What is added to `left_ns` when `passed_ns` have passed, which are whole periods. */
POLICY_FN __u64 policy_refill(const struct policy_bandwidth *b, __u64 passed_ns)
{
	__u64 periods = b->period_ns ? passed_ns / b->period_ns : 0;
	__u64 most = b->quota_ns + POLICY_BANDWIDTH_KEPT_NS - b->left_ns; /* below 2^63 */
	__u64 added = (periods < 1000 ? periods : 1000) * b->quota_ns;

	if ((__s64)most < 0)
		return 0;
	return added < most ? added : most;
}

/*
 * The kernel ejects a scheduler that lets a thread wait for 30 s, and a group may have more threads
 * than its bound can serve in that time. So all that wait get a turn, however short, in each round
 * of this length: a thread waits for two rounds at most.
 */
#define POLICY_PARKING_ROUND_NS 10000000000ull

/*
 * How many of those that waited when the round began should have had their turn by now, less the
 * `served` that had one: spread evenly, for all of them at once would be a crowd.
 */
POLICY_FN __s64 policy_turns_due(__u32 waited, __u32 served, __u64 passed_ns)
{
	__u64 passed = passed_ns < POLICY_PARKING_ROUND_NS ? passed_ns : POLICY_PARKING_ROUND_NS;

	return (__s64)(waited * passed / POLICY_PARKING_ROUND_NS) - served;
}

#endif
