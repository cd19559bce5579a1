/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a hint: given, acknowledged, withdrawn, late. policy.bpf.h decides; here the
 * decisions reach the worker's kernel line, its record and the event ring.
 *
 * Any CPU may give and withdraw a hint. `seq` and `ended_seq` are therefore advanced by
 * compare-and-swap, so that of two CPUs that see the same moment only one acts on it. The values
 * read before the swap may be of different moments; tests/model/ shows what each check here is for.
 */
#ifndef MORPHEUS_BPF_HINTS_BPF_H
#define MORPHEUS_BPF_HINTS_BPF_H

#include "blame.bpf.h"

/* Ends the open hint and returns its sequence; 0 if none is open, or another CPU was first. */
static __always_inline u64 claim_end(struct morpheus_worker_record *w)
{
	u64 seq = READ_ONCE(w->seq), ended = READ_ONCE(w->ended_seq);

	/* Only the open hint is one ahead: an older `seq` would take a later end back. */
	if (ended + 1 != seq || __sync_val_compare_and_swap(&w->ended_seq, ended, seq) != ended)
		return 0;
	return seq;
}

static __always_inline void give_hint(u32 slot, kernel_line_t *line, u32 reason, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);
	u64 seq = READ_ONCE(w->seq);

	if (READ_ONCE(w->ended_seq) != seq ||
	    __sync_val_compare_and_swap(&w->seq, seq, seq + 1) != seq)
		return;
	w->hinted_at_ns = now;
	w->hints[reason % MORPHEUS_HINT_REASON_COUNT]++;
	WRITE_ONCE(w->timed_seq, seq + 1); /* from here on hinted_at_ns is this hint's */
	line->hint_deadline_ns = now + tunables.grace_ns;
	line->hint_reason = reason;
	/* A full barrier: a worker that sees the new sequence sees its reason and deadline. */
	__sync_fetch_and_add(&line->preempt_seq, 1);
	emit(MORPHEUS_EVENT_HINT, reason, slot, now, 0);
}

/*
 * Notices an acknowledgement. In Observer mode a new slice begins with it: otherwise a worker that
 * yielded and was picked again would be hinted again at once. In Enforced mode it does not: there a
 * slice is more than advice, an acknowledgement is a claim, and a worker that only claims to yield
 * must not keep the CPU by it.
 */
static __always_inline void note_acknowledgement(u32 slot, runtime_line_t *line, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);
	u64 latency;

	if (!policy_acknowledged(w, READ_ONCE(line->last_ack_seq)) || !claim_end(w))
		return;
	latency = policy_ack_latency(w, READ_ONCE(line->last_ack_ns), now);
	w->acknowledged++;
	w->kept_ns += policy_kept_too_long(latency, &tunables);
	if (mode == MORPHEUS_OBSERVER_ONLY)
		w->slice_start_ns = now;
	emit(MORPHEUS_EVENT_ACKNOWLEDGED,
	     READ_ONCE(line->last_yield_reason) % MORPHEUS_YIELD_REASON_COUNT, slot, now, latency);
}

/* No thread waits any more: the worker's slow path acknowledges without yielding. */
OUT_OF_LINE void withdraw(u32 slot, struct worker_lines *lines, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);
	kernel_line_t *kernel = kernel_line(lines);
	runtime_line_t *runtime = runtime_line(lines);
	u64 seq;

	if (!kernel || !runtime)
		return;
	note_acknowledgement(slot, runtime, now);
	seq = claim_end(w);
	if (!seq)
		return;
	WRITE_ONCE(kernel->withdrawn_seq, seq); /* not w->seq: a new hint may be open by now */
	w->withdrawn++;
	w->kept_ns += policy_kept_too_long(policy_kept_waiting(w, w->run_start_ns, now), &tunables);
	emit(MORPHEUS_EVENT_WITHDRAWN, kernel->hint_reason, slot, now, now - w->hinted_at_ns);
}

static __always_inline struct policy_claims read_claims(runtime_line_t *line)
{
	return (struct policy_claims){
		.critical = READ_ONCE(line->is_in_critical_section),
		.escapable = READ_ONCE(line->escapable),
		.policy = READ_ONCE(line->escalation_policy),
		.last_ack_seq = READ_ONCE(line->last_ack_seq),
	};
}

static __always_inline void note_last_call(struct morpheus_worker_record *w, kernel_line_t *kernel,
					   runtime_line_t *runtime, u64 now)
{
	struct policy_claims claims = read_claims(runtime);

	if (!policy_last_call(mode, w, &claims, &tunables, now))
		return;
	w->called_seq = w->seq;
	w->hints[MORPHEUS_HINT_DEADLINE]++;
	WRITE_ONCE(kernel->hint_reason, MORPHEUS_HINT_DEADLINE);
}

static __always_inline void note_late(u32 slot, kernel_line_t *line, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);

	if (!policy_hint_late(w, &tunables, now) || w->lost_seq == w->seq)
		return;
	w->lost_seq = w->seq;
	w->lost++;
	line->hint_loss_count++;
	blame(slot, MORPHEUS_BLAME_LATE, now);
	emit(MORPHEUS_EVENT_LOST, line->hint_reason, slot, now, now - w->hinted_at_ns);
}

/*
 * Brings a worker that has a CPU up to date: its acknowledgement, its deadline, and a new hint if
 * it is time. `contended`: some thread is queued there, woken or not. Returns the reason of the
 * hint that was given, if one was.
 */
OUT_OF_LINE u32 look_at(u32 slot, struct worker_lines *lines, u32 waiters, bool contended, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);
	kernel_line_t *kernel = kernel_line(lines);
	runtime_line_t *runtime = runtime_line(lines);
	u32 reason;

	if (!kernel || !runtime || lines->slot != slot)
		return MORPHEUS_HINT_NONE;
	note_acknowledgement(slot, runtime, now);
	if (policy_hint_open(w)) {
		note_last_call(w, kernel, runtime, now);
		note_late(slot, kernel, now);
	}
	reason = policy_hint(w, &tunables, now, waiters, contended);
	if (reason != MORPHEUS_HINT_NONE)
		give_hint(slot, kernel, reason, now);
	return reason;
}

/* The lines of a worker that may be running on another CPU; NULL if its thread is gone. */
static __always_inline struct worker_lines *lines_of_slot(u32 slot)
{
	struct worker_task *ref = bpf_map_lookup_elem(&worker_tasks, &slot);
	struct task_struct *task = ref ? ref->task : NULL;

	return task ? bpf_task_storage_get(&worker_lines, task, NULL, 0) : NULL;
}

#endif
