/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When a worker's slice ends, and when its end is deferred. Both are judged while the worker is
 * interrupted on its own CPU: at a tick, or at the last moment before the CPU is given away.
 */
#ifndef MORPHEUS_BPF_SLICES_BPF_H
#define MORPHEUS_BPF_SLICES_BPF_H

#include "hints.bpf.h"
#include "queues.bpf.h"

/*
 * A worker runs on this lease, renewed at every tick; its slice is ended by us, never by the lease.
 * It is longer than two ticks at HZ=100, and short enough that a missed tick does no harm.
 */
#define LEASE_NS 30000000ull

/* What becomes of the worker on `cpu`: enum policy_slice. */
static __always_inline u32 judge_slice(struct task_struct *p, s32 cpu, u32 slot, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);
	struct worker_lines *lines = lines_of(p);
	runtime_line_t *line;
	struct policy_claims claims;
	u32 verdict;

	if (!lines || lines->slot != slot)
		return POLICY_SLICE_END;
	line = runtime_line(lines);
	if (!line)
		return POLICY_SLICE_END;
	claims = read_claims(line);
	verdict = policy_slice(w, &claims, &tunables, now,
			       contended(cpu) || cpu_state(cpu)->balance.helps);
	if (verdict == POLICY_SLICE_RENEW) {
		w->slice_start_ns = now;
	} else if (verdict == POLICY_SLICE_DEFER) {
		w->deferrals++;
		if (policy_held(w, &claims, &tunables, now))
			blame(slot, MORPHEUS_BLAME_HELD, now);
		emit_run(MORPHEUS_EVENT_DEFERRED, 0, line, slot, now, now - w->slice_start_ns);
	} else if (verdict == POLICY_SLICE_OVERRUN) {
		w->overruns++;
		emit(MORPHEUS_EVENT_OVERRUN, 0, slot, now, now - w->slice_start_ns);
	}
	return verdict;
}

/* The worker's group is out of time: does the worker lose the CPU at once? */
static __always_inline bool stops_now(struct worker_lines *lines, u32 slot, u64 now)
{
	runtime_line_t *line = runtime_line(lines);
	struct policy_claims claims;

	if (!line)
		return true;
	claims = read_claims(line);
	return policy_stops_now(worker_of(slot), &claims, &tunables, now);
}

#endif
