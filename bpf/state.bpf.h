/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything the two halves share: tunables and worker records (the daemon has both mapped), what
 * runs and who waits on each CPU, the workers' lines, and the event ring.
 */
#ifndef MORPHEUS_BPF_STATE_BPF_H
#define MORPHEUS_BPF_STATE_BPF_H

#include "compat.bpf.h"
#include "policy.bpf.h"

#define MAX_WAITING 16
#define RING_BYTES (1 << 20)
#define RING_WAKEUP_BYTES (RING_BYTES / 4)

/* The tag survives in BTF only through a typedef (clang 14), on a type that is complete there. */
typedef struct morpheus_scb_kernel kernel_line_t;
typedef struct morpheus_scb_runtime runtime_line_t;
kernel_line_t complete_kernel_line SEC(".data.types") __hidden;
runtime_line_t complete_runtime_line SEC(".data.types") __hidden;

struct worker_lines {
	kernel_line_t __uptr *kernel;
	runtime_line_t __uptr *runtime;
	u32 slot;
	u32 linked; /* worker_tasks knows the thread */
};

/* Filled by the daemon, keyed by the thread's pidfd; goes with the thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */);
	__type(key, int);
	__type(value, struct worker_lines);
} worker_lines SEC(".maps");

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

/*
 * One CPU. Written under its runqueue lock (every tracepoint used here holds it), except that a
 * migration may add to `waiting` from elsewhere: hence the atomics there.
 */
struct cpu_state {
	u32 slot; /* the worker that has this CPU, 0 none */
	u32 nr_waiting;
	u32 timer_armed;
	u8 yielded; /* scheduler: the running thread gave way by itself */
	u8 ended;   /* scheduler: its slice was ended on purpose */
	u32 displaced;  /* scheduler: the worker that a higher class took this CPU from in mid-slice */
	u32 run_weight; /* scheduler: the running thread at its start: weight, CPU time, vtime, clock */
	u64 run_exec_ns;
	u64 run_vtime;
	u64 run_start_ns; /* 0: nobody of our class runs */
	u32 waiting[MAX_WAITING]; /* threads that woke here and have not run since; 0 free */
	u8 hints_left[MAX_WAITING]; /* how many more hints each of them is worth */
} __attribute__((aligned(64)));

static struct cpu_state cpus[MORPHEUS_MAX_CPUS];
static u8 cpu_is_idle[MORPHEUS_MAX_CPUS];

/* Shared with the daemon through the skeleton. */
struct morpheus_tunables tunables;
struct morpheus_worker workers[MORPHEUS_MAX_WORKERS];
struct morpheus_scheduler_exit scheduler_exit;
__u64 events_dropped;
__u32 nr_workers; /* 0: the observer's programs return at once */
__u32 mode;       /* enum morpheus_scheduler_mode: set by the scheduler's own init and exit */
__s32 nr_cpus;  /* possible CPUs; at most MORPHEUS_MAX_CPUS */

static __always_inline struct cpu_state *cpu_state(u32 cpu)
{
	return &cpus[cpu & (MORPHEUS_MAX_CPUS - 1)];
}

static __always_inline struct morpheus_worker *worker_of(u32 slot)
{
	return &workers[slot & (MORPHEUS_MAX_WORKERS - 1)];
}

static __always_inline struct worker_lines *lines_of(struct task_struct *p)
{
	return bpf_task_storage_get(&worker_lines, p, NULL, 0);
}

/* Threads runnable on the CPU of `p`, whatever their class; `p` itself is one of them. */
static __always_inline u32 runnable_beside(struct task_struct *p)
{
	struct cfs_rq *cfs = p->se.cfs_rq;

	return cfs ? BPF_CORE_READ(cfs, rq, nr_running) : 0;
}

static __always_inline void emit(u32 type, u32 reason, u32 slot, u64 now, u64 value_ns)
{
	struct morpheus_worker *w = worker_of(slot);
	struct morpheus_event event = {
		.time_ns = now,
		.seq = w->seq,
		.value_ns = value_ns,
		.slot = slot,
		.generation = w->generation,
		.cpu = bpf_get_smp_processor_id(),
		.type = type,
		.reason = reason,
	};
	/* The daemon drains by a clock; it is woken early only before records would be lost. */
	u64 flags = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > RING_WAKEUP_BYTES ?
			    BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;

	if (bpf_ringbuf_output(&events, &event, sizeof(event), flags))
		__sync_fetch_and_add(&events_dropped, 1);
}

#endif
