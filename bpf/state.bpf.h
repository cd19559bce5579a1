/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything the two halves share besides the CPUs' state: tunables and worker records, which the
 * daemon has mapped, and the event ring.
 */
#ifndef MORPHEUS_BPF_STATE_BPF_H
#define MORPHEUS_BPF_STATE_BPF_H

#include "cpu_state.bpf.h"
#include "lines.bpf.h"
#include "policy.bpf.h"

#define MAX_GROUP_DEPTH 256
#define MAX_GROUPS 4096
#define RING_BYTES (1 << 20)
#define RING_BUNCH_BYTES 4096

/* From slot to thread, so that another CPU can reach a worker's lines. */
struct worker_task {
	struct task_struct __kptr *task;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MORPHEUS_MAX_WORKERS);
	__type(key, u32);
	__type(value, struct worker_task);
} worker_tasks SEC(".maps");

struct cpu_timer {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MORPHEUS_MAX_CPUS);
	__type(key, u32);
	__type(value, struct cpu_timer);
} cpu_timers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} events SEC(".maps");

/* Shared with the daemon through the skeleton. */
struct morpheus_tunables tunables;
struct morpheus_worker_record workers[MORPHEUS_MAX_WORKERS];
struct morpheus_scheduler_exit scheduler_exit;
/* How long workers waited, by the CPU that they got. */
struct morpheus_time_counts wait_times[MORPHEUS_MAX_CPUS];
__u64 events_dropped;
__u32 nr_workers; /* 0: the observer's programs return at once */
__u32 event_mask; /* 1 << type: the events that have a reader */
__u32 mode;       /* enum morpheus_scheduler_mode: set by the scheduler's own init and exit */
__s32 nr_cpus;    /* possible CPUs; at most MORPHEUS_MAX_CPUS */
__s32 nr_llcs;    /* last-level caches, at least 1 */
__u8 llc_of[MORPHEUS_MAX_CPUS];

static __always_inline u32 llc_of_cpu(u32 cpu)
{
	return llc_of[cpu & (MORPHEUS_MAX_CPUS - 1)] & (MORPHEUS_MAX_LLCS - 1);
}

static __always_inline struct morpheus_worker_record *worker_of(u32 slot)
{
	return &workers[slot & (MORPHEUS_MAX_WORKERS - 1)];
}

/*
 * The RUNNING worker that has this CPU; 0: an ordinary thread, as a worker in any other state is.
 */
static __always_inline u32 running_worker(struct cpu_state *c)
{
	u32 slot = c->slot;

	return slot && worker_of(slot)->state == MORPHEUS_WORKER_RUNNING ? slot : 0;
}

static __always_inline struct worker_lines *lines_of(struct task_struct *p)
{
	return bpf_task_storage_get(&worker_lines, p, NULL, 0);
}

/* Threads runnable on the CPU of `p`, whatever their class; `p` itself is one of them. */
static __always_inline u32 runnable_beside(struct task_struct *p)
{
	return p->se.cfs_rq->rq->nr_running;
}

static __always_inline void emit_flagged(u32 type, u32 reason, u32 flags, u32 slot, u64 now,
					 u64 value_ns)
{
	struct morpheus_worker_record *w = worker_of(slot);

	if (!(event_mask & (1u << type)))
		return;

	struct morpheus_event event = {
		.time_ns = now,
		.seq = w->seq,
		.value_ns = value_ns,
		.slot = slot,
		.generation = w->generation,
		.cpu = bpf_get_smp_processor_id(),
		.type = type,
		.reason = reason,
		.flags = flags,
	};
	/*
	 * The daemon drains the ring by a clock: woken at each event, it would be a waiter itself.
	 * It is woken before records would be lost, and, if it has a subscriber, for every bunch of
	 * them.
	 */
	u64 wakeup_bytes = event_mask & 1u << MORPHEUS_EVENT_HINT ? RING_BUNCH_BYTES
								  : RING_BYTES / 4;
	u64 wakeup = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > wakeup_bytes
			     ? BPF_RB_FORCE_WAKEUP
			     : BPF_RB_NO_WAKEUP;
	if (bpf_ringbuf_output(&events, &event, sizeof(event), wakeup))
		__sync_fetch_and_add(&events_dropped, 1);
}

static __always_inline void emit(u32 type, u32 reason, u32 slot, u64 now, u64 value_ns)
{
	emit_flagged(type, reason, 0, slot, now, value_ns);
}

/* Where a worker runs, for a trace. Without one this costs one test of a mask. */
static __always_inline void emit_run(u32 type, u32 flags, runtime_line_t *line, u32 slot, u64 now,
				     u64 value_ns)
{
	if (!(event_mask & (1u << type)))
		return;
	if (READ_ONCE(line->is_in_critical_section))
		flags |= MORPHEUS_FLAG_CRITICAL;
	emit_flagged(type, 0, flags, slot, now, value_ns);
}

#endif
