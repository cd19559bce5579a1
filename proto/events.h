/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What BPF and the daemon tell each other: tunables, one record per worker, counters and the
 * records of the event ring. Private to the two; no client ever sees or writes any of it.
 */
#ifndef MORPHEUS_PROTO_EVENTS_H
#define MORPHEUS_PROTO_EVENTS_H

#include "proto/scb.h"

#define MORPHEUS_MAX_CPUS 1024u     /* a power of two: used as an index mask */
#define MORPHEUS_MAX_WORKERS 16384u /* likewise; slot 0 is never used and means "no worker" */

/* All changeable while running; each field stands alone. Nanoseconds. */
struct morpheus_tunables {
	__u64 slice_ns;     /* how long a thread runs when others wait */
	__u64 grace_ns;     /* from a hint to its deadline */
	__u64 hold_cap_ns;  /* how long the end of a slice may be deferred in all */
	__u64 hint_lead_ns; /* BUDGET hints come this long before the slice ends */
	__u64 min_run_ns;   /* a worker runs this long before it is asked */
};

/* Why an escalation that was due did not happen: the first condition of the gate that failed. */
enum morpheus_block_reason {
	MORPHEUS_BLOCK_NONE = 0,
	MORPHEUS_BLOCK_MODE = 1,          /* not Enforced */
	MORPHEUS_BLOCK_STATE = 2,         /* not RUNNING */
	MORPHEUS_BLOCK_POLICY = 3,        /* policy NONE */
	MORPHEUS_BLOCK_NOT_ESCAPABLE = 4, /* the worker did not opt in */
	MORPHEUS_BLOCK_CRITICAL = 5,      /* inside a critical section */
	MORPHEUS_BLOCK_ACKNOWLEDGED = 6,  /* answered in the meantime */
	MORPHEUS_BLOCK_EARLY = 7,         /* has not run longer than slice + grace */
	MORPHEUS_BLOCK_COUNT,
};

/*
 * One worker, in a memory-mapped array indexed by slot. The daemon writes tid, generation and state;
 * BPF writes the rest, on the worker's CPU or (hints) under atomics. The daemon reads all of it.
 */
struct morpheus_worker {
	__u32 tid;        /* as the daemon's PID namespace numbers it */
	__u32 generation; /* distinguishes two users of one slot */
	__u32 state;      /* enum morpheus_worker_state: BPF's own copy, not the client's memory */
	__u32 cpu;        /* where it last ran */
	__u64 seq;        /* preempt_seq as BPF knows it */
	__u64 ended_seq;  /* the newest hint that is no longer open (acknowledged, withdrawn) */
	__u64 hinted_at_ns; /* or when it got the CPU again with the hint still open */
	__u64 lost_seq;       /* the newest hint counted as lost */
	__u64 run_start_ns;   /* when it last got a CPU; 0 while off CPU */
	__u64 slice_start_ns; /* when the present slice began: run start, renewal or acknowledgement */
	__u64 wait_start_ns;  /* when it became runnable without a CPU; 0 otherwise */
	__u64 cpu_time_ns;
	__u64 wait_time_ns;
	__u64 hints[MORPHEUS_HINT_REASON_COUNT];
	__u64 acks;
	__u64 withdrawn;
	__u64 lost;
	__u64 deferrals;   /* slice ends put off because of a critical section or a fresh hint */
	__u64 overruns;    /* deferrals that the hold cap ended */
	__u64 escalations; /* CPU taken */
	__u64 blocked[MORPHEUS_BLOCK_COUNT];
	__u64 blocked_seq; /* the newest hint counted as blocked */
} __attribute__((aligned(64)));

enum morpheus_event_type {
	MORPHEUS_EVENT_HINT = 1,      /* reason */
	MORPHEUS_EVENT_ACK = 2,       /* value_ns: from decision to acknowledgement */
	MORPHEUS_EVENT_WITHDRAWN = 3, /* value_ns: from decision to withdrawal */
	MORPHEUS_EVENT_LOST = 4,      /* the deadline passed; value_ns: age */
	MORPHEUS_EVENT_ESCALATED = 5, /* value_ns: age of the hint */
	MORPHEUS_EVENT_BLOCKED = 6,   /* reason: enum morpheus_block_reason; value_ns: age of the hint */
	MORPHEUS_EVENT_OVERRUN = 7,   /* value_ns: how long the slice was held */
	MORPHEUS_EVENT_EXIT = 8,      /* the worker's thread is gone */
	MORPHEUS_EVENT_COUNT,
};

/* How the sched_ext scheduler last ended, in the kernel's words; kind 0: it has not. */
struct morpheus_scheduler_exit {
	__s64 code;
	__u32 kind; /* enum scx_exit_kind */
	char reason[64];
	char message[188];
};

/* One record of the ring buffer. */
struct morpheus_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 seq;
	__u64 value_ns;
	__u32 slot;
	__u32 generation;
	__u32 cpu;
	__u16 type;   /* enum morpheus_event_type */
	__u16 reason; /* by type */
};

#endif
