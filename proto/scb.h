/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shared control block (SCB): the memory that the kernel, the daemon and one worker share.
 * Plain C, compiled into BPF, the daemon, the SDK and the simulator.
 *
 * A worker has two 64-byte lines, in two different memfds of its client process:
 *   kernel line   written by BPF and the daemon, mapped read-only by the client
 *   runtime line  written by the client, read by BPF as consent and claims, never trusted
 * A third memfd, read-only and shared by all clients, holds the global block.
 *
 * Line i of a memfd starts at byte 64 * i; no line crosses a page.
 */
#ifndef MORPHEUS_PROTO_SCB_H
#define MORPHEUS_PROTO_SCB_H

#ifndef __VMLINUX_H__ /* BPF has these types from vmlinux.h */
#include <linux/types.h>
#endif

/*
 * Version history. The major number changes when an old reader would misread the memory; the minor
 * number when a reserved field gets a meaning.
 *   1.0  first version
 */
#define MORPHEUS_SCB_MAGIC 0x4d4f5250u /* "MORP" */
#define MORPHEUS_SCB_VERSION_MAJOR 1u
#define MORPHEUS_SCB_VERSION_MINOR 0u
#define MORPHEUS_SCB_LINE_SIZE 64u

/* Bounds of what a client may claim; BPF clamps to these. */
#define MORPHEUS_PRIORITY_MAX 1000u
#define MORPHEUS_PRIORITY_DEFAULT 500u
#define MORPHEUS_PRESSURE_MAX 100u

/* The operator's choice. Only the daemon writes it. */
enum morpheus_scheduler_mode {
	MORPHEUS_OBSERVER_ONLY = 0, /* hints, metrics, events; no scheduling decision is changed */
	MORPHEUS_ENFORCED = 1, /* the sched_ext scheduler is attached; escalation is possible */
};

/* Lifecycle of a worker. Hints and escalation happen in RUNNING only; see policy.bpf.h. */
enum morpheus_worker_state {
	MORPHEUS_WORKER_INIT = 0,
	MORPHEUS_WORKER_REGISTERED = 1,
	MORPHEUS_WORKER_RUNNING = 2,
	MORPHEUS_WORKER_QUIESCING = 3,
	MORPHEUS_WORKER_DEAD = 4,
	MORPHEUS_WORKER_STATE_COUNT,
};

/* All other transitions are refused; see docs/protocol.md. */
static inline int morpheus_transition_allowed(__u32 from, __u32 to)
{
	switch (from) {
	case MORPHEUS_WORKER_INIT:
		return to == MORPHEUS_WORKER_REGISTERED;
	case MORPHEUS_WORKER_REGISTERED:
		return to == MORPHEUS_WORKER_RUNNING;
	case MORPHEUS_WORKER_RUNNING:
		return to == MORPHEUS_WORKER_QUIESCING;
	case MORPHEUS_WORKER_QUIESCING:
		return to == MORPHEUS_WORKER_RUNNING || to == MORPHEUS_WORKER_DEAD;
	default:
		return 0;
	}
}

/* What the kernel may do to a worker that ignored a hint. The worker chooses; default NONE. */
enum morpheus_escalation_policy {
	MORPHEUS_POLICY_NONE = 0,
	MORPHEUS_POLICY_THREAD_KICK = 1,
	MORPHEUS_POLICY_CGROUP_THROTTLE =
		2,                  /* bound the CPU time of its control group for a while */
	MORPHEUS_POLICY_HYBRID = 3, /* both; only the kick where throttling is not allowed */
	MORPHEUS_POLICY_COUNT,
};

/* Why the kernel hints. */
enum morpheus_hint_reason {
	MORPHEUS_HINT_NONE = 0,
	MORPHEUS_HINT_PRESSURE = 1, /* a woken thread waits and has no idle CPU */
	MORPHEUS_HINT_BUDGET = 2,   /* the slice is about to end and a thread waits */
	MORPHEUS_HINT_IMBALANCE =
		3, /* the queue of another last-level cache is much longer; Enforced */
	MORPHEUS_HINT_DEADLINE = 4, /* the open hint became a last call: escalation is next */
	MORPHEUS_HINT_REASON_COUNT,
};

/* Why the worker last yielded; a claim. */
enum morpheus_yield_reason {
	MORPHEUS_YIELD_NONE = 0,
	MORPHEUS_YIELD_HINT = 1,       /* a hint was acknowledged */
	MORPHEUS_YIELD_CHECKPOINT = 2, /* by itself, at a checkpoint (eagerly in DEFENSIVE) */
	MORPHEUS_YIELD_BUDGET = 3,     /* its own budget was used up */
	MORPHEUS_YIELD_EXPLICIT = 4,   /* the program asked */
	MORPHEUS_YIELD_REASON_COUNT,
};

/* How the worker behaves; a claim, for operators to see. */
enum morpheus_runtime_mode {
	MORPHEUS_DETERMINISTIC = 0, /* no hint seen: execution depends on the program only */
	MORPHEUS_PRESSURED = 1,     /* hints seen: cooperative scheduling active */
	MORPHEUS_DEFENSIVE = 2, /* hints lost, or the daemon gone under pressure: yields eagerly */
	MORPHEUS_RUNTIME_MODE_COUNT,
};

/*
 * Kernel line: kernel -> worker. All times are CLOCK_MONOTONIC nanoseconds.
 * Writer: BPF on the worker's CPU, or on another CPU for a hint; the daemon before the worker runs
 * (and worker_state at any time). Reader: the worker's thread.
 * Ordering: reason and deadline are stored before preempt_seq is incremented (a full barrier in
 * BPF); a reader that has seen the new sequence (acquire) sees them.
 */
struct morpheus_scb_kernel {
	__u64 preempt_seq;   /* incremented once for each hint; never decreases while attached */
	__u64 withdrawn_seq; /* hints up to and including this one are void */
	__u64 budget_remaining_ns; /* advisory, of the present slice; updated when the worker gets
	                              the CPU and at each decision about it */
	__u64 hint_deadline_ns;   /* when the last hint becomes late: its decision time, or when the
	                              worker got the CPU again with it open, plus the grace */
	__u64 last_escalation_ns; /* when the kernel last took the CPU from this worker; 0: never */
	__u64 cpu_time_ns;        /* on a CPU, until the last switch away */
	__u64 wait_time_ns;       /* runnable without a CPU, until the last switch to it */
	__u16 kernel_pressure_level; /* 0-100: how crowded its CPU is, see policy_pressure() */
	__u8 worker_state;           /* enum morpheus_worker_state; written by the daemon */
	__u8 hint_reason;            /* enum morpheus_hint_reason of the last hint */
	__u32 hint_loss_count; /* hints that became late: neither acknowledged nor withdrawn */
} __attribute__((aligned(64)));

/*
 * Runtime line: worker -> kernel. Writer: the worker's own thread, with plain stores (x86 and arm64
 * store 4 and 8 aligned bytes whole); before that the daemon, which registers the worker with all
 * fields 0 and the default priority. Reader: BPF while it interrupts that very thread, so program
 * order on one CPU is enough for every decision to take the CPU; other readers only count and show.
 */
struct morpheus_scb_runtime {
	__u32 is_in_critical_section; /* nesting depth; if not 0, do not take the CPU */
	__u32 escapable;              /* 1: the kernel may take the CPU outside critical sections */
	__u64 last_ack_seq;           /* the newest preempt_seq that was acknowledged */
	__u64 last_ack_ns;      /* when, stored before last_ack_seq; bounded by BPF, metrics only */
	__u32 runtime_priority; /* 0-1000, clamped; read when the worker gets a CPU. In Enforced
	                           mode the lowest is hinted first, and less than 500 lowers
	                           its weight */
	__u32 last_yield_reason; /* enum morpheus_yield_reason */
	__u32 escalation_policy; /* enum morpheus_escalation_policy; unknown values mean NONE */
	__u32 runtime_mode;      /* enum morpheus_runtime_mode */
	__u64 reserved[3];       /* 0 */
} __attribute__((aligned(64)));

/* Global block: the daemon writes, all clients read. Each field stands alone: no ordering. */
struct morpheus_global_pressure {
	__u32 magic;
	__u16 version_major;
	__u16 version_minor;
	__u32 cpu_pressure_pct;    /* 0-100, PSI some avg10 */
	__u32 io_pressure_pct;     /* 0-100, PSI some avg10 */
	__u32 memory_pressure_pct; /* 0-100, PSI some avg10 */
	__u32 runqueue_depth;      /* runnable threads in the system */
	__u32 scheduler_mode;      /* enum morpheus_scheduler_mode */
	__u32 reserved0;
	__u64 heartbeat_ns; /* CLOCK_MONOTONIC of the daemon's last update; 0 after a clean stop */
	__u64 reserved[3];
} __attribute__((aligned(64)));

#ifdef __cplusplus
#define MORPHEUS_STATIC_ASSERT static_assert
#else
#define MORPHEUS_STATIC_ASSERT _Static_assert
#endif
#define MORPHEUS_ASSERT_OFFSET(type, field, at)                                                    \
	MORPHEUS_STATIC_ASSERT(__builtin_offsetof(struct type, field) == (at), #type "." #field)
MORPHEUS_STATIC_ASSERT(sizeof(struct morpheus_scb_kernel) == MORPHEUS_SCB_LINE_SIZE, "kernel line");
MORPHEUS_STATIC_ASSERT(sizeof(struct morpheus_scb_runtime) == MORPHEUS_SCB_LINE_SIZE,
		       "runtime line");
MORPHEUS_STATIC_ASSERT(sizeof(struct morpheus_global_pressure) == MORPHEUS_SCB_LINE_SIZE,
		       "global block");
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, preempt_seq, 0);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, withdrawn_seq, 8);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, budget_remaining_ns, 16);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, hint_deadline_ns, 24);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, last_escalation_ns, 32);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, cpu_time_ns, 40);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, wait_time_ns, 48);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, kernel_pressure_level, 56);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, worker_state, 58);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, hint_reason, 59);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_kernel, hint_loss_count, 60);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_runtime, is_in_critical_section, 0);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_runtime, escapable, 4);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_runtime, last_ack_seq, 8);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_runtime, last_ack_ns, 16);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_runtime, runtime_priority, 24);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_runtime, last_yield_reason, 28);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_runtime, escalation_policy, 32);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_runtime, runtime_mode, 36);
MORPHEUS_ASSERT_OFFSET(morpheus_scb_runtime, reserved, 40);
MORPHEUS_ASSERT_OFFSET(morpheus_global_pressure, cpu_pressure_pct, 8);
MORPHEUS_ASSERT_OFFSET(morpheus_global_pressure, io_pressure_pct, 12);
MORPHEUS_ASSERT_OFFSET(morpheus_global_pressure, memory_pressure_pct, 16);
MORPHEUS_ASSERT_OFFSET(morpheus_global_pressure, runqueue_depth, 20);
MORPHEUS_ASSERT_OFFSET(morpheus_global_pressure, scheduler_mode, 24);
MORPHEUS_ASSERT_OFFSET(morpheus_global_pressure, heartbeat_ns, 32);

#endif
