/* SPDX-License-Identifier: GPL-2.0-only */
/* When the CPU may be taken from a worker, and by which means. */
#ifndef MORPHEUS_BPF_POLICY_ESCALATION_H
#define MORPHEUS_BPF_POLICY_ESCALATION_H

#include "bpf/policy/hints.h"

/*
 * The gate of escalation: all seven conditions; the first that fails is reported. Called only on
 * the worker's own CPU while the worker is interrupted there.
 */
POLICY_FN __u32 policy_escalation_gate(__u32 mode, const struct morpheus_worker_record *w,
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

POLICY_FN bool policy_kicks(__u32 policy)
{
	return policy == MORPHEUS_POLICY_THREAD_KICK || policy == MORPHEUS_POLICY_HYBRID;
}

POLICY_FN bool policy_throttles(__u32 policy)
{
	return policy == MORPHEUS_POLICY_CGROUP_THROTTLE || policy == MORPHEUS_POLICY_HYBRID;
}

#endif
