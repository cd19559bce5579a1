/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Escalation: recovers the CPU from a worker that ignored a hint, if it consented. Decided on the
 * worker's own CPU while the worker is interrupted there, and nowhere else: so its claims are read
 * in the order in which it wrote them, without a fence on its side.
 */
#ifndef MORPHEUS_BPF_ESCALATION_BPF_H
#define MORPHEUS_BPF_ESCALATION_BPF_H

#include "bandwidth.bpf.h"
#include "hints.bpf.h"

/* An escalation was due and did not happen: counted once for each hint. */
static __always_inline void note_blocked(u32 slot, u32 reason, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);

	if (w->blocked_seq == w->seq || reason >= MORPHEUS_BLOCK_COUNT)
		return;
	w->blocked_seq = w->seq;
	w->blocked[reason]++;
	if (reason != MORPHEUS_BLOCK_ACKNOWLEDGED)
		blame(slot, MORPHEUS_BLAME_BLOCKED, now);
	emit(MORPHEUS_EVENT_BLOCKED, reason, slot, now, now - w->hinted_at_ns);
}

/* Asks the gate if the worker's hint is late. True: the CPU is taken. */
static __always_inline bool escalate(struct task_struct *p, struct worker_lines *lines, s32 cpu,
				     u32 slot, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);
	kernel_line_t *kernel = kernel_line(lines);
	runtime_line_t *runtime = runtime_line(lines);
	struct policy_claims claims;
	u64 seq = READ_ONCE(w->seq);
	u32 block;

	if (!kernel || !runtime || !policy_hint_late(w, &tunables, now))
		return false;
	claims = read_claims(runtime);
	block = policy_escalation_gate(mode, w, &claims, &tunables, now);
	if (block == MORPHEUS_BLOCK_NONE && READ_ONCE(w->ended_seq) >= seq)
		return false; /* withdrawn meanwhile; a newer hint may be open, but is not late */
	if (block == MORPHEUS_BLOCK_NONE && policy_throttles(claims.policy)) {
		if (throttle_group(p, slot, now))
			w->throttles++;
		else if (!policy_kicks(claims.policy))
			block = MORPHEUS_BLOCK_CGROUP;
	}
	if (block != MORPHEUS_BLOCK_NONE) {
		note_blocked(slot, block, now);
		return false;
	}
	w->escalations++;
	kernel->last_escalation_ns = now;
	if (policy_kicks(claims.policy))
		scx_bpf_kick_cpu(cpu, SCX_VALUE(scx_kick_flags, SCX_KICK_PREEMPT));
	emit(MORPHEUS_EVENT_ESCALATED, claims.policy, slot, now, now - w->hinted_at_ns);
	return true;
}

#endif
