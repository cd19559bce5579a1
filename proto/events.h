/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What BPF and the daemon exchange: tunables, one record per worker, counters and the records of
 * the event ring. Private to the two; no client ever sees or writes any of it.
 */
#ifndef MORPHEUS_PROTO_EVENTS_H
#define MORPHEUS_PROTO_EVENTS_H

#include "proto/scb.h"

#define MORPHEUS_LINES_PER_PAGE 64u /* 4096 bytes: clients get whole pages of lines */
#define MORPHEUS_MAX_CPUS 1024u     /* a power of two: used as an index mask */
#define MORPHEUS_MAX_LLCS 64u       /* last-level caches; likewise */
#define MORPHEUS_MAX_WORKERS 16384u /* likewise; slot 0 is never used and means "no worker" */

/* Nanoseconds. All can change at run time; each field stands alone. */
struct morpheus_tunables {
	__u64 slice_ns;     /* how long a thread runs while others wait */
	__u64 grace_ns;     /* from a hint to its deadline */
	__u64 hold_cap_ns;  /* how long in total the end of a slice may be deferred */
	__u64 hint_lead_ns; /* BUDGET hints come this long before the slice ends */
	__u64 min_run_ns;   /* a worker runs this long before it is hinted */
};

/* Why an escalation that was due did not happen: the first condition of the gate that failed. */
enum morpheus_block_reason {
	MORPHEUS_BLOCK_NONE = 0,
	MORPHEUS_BLOCK_MODE = 1,          /* not Enforced */
	MORPHEUS_BLOCK_STATE = 2,         /* not RUNNING */
	MORPHEUS_BLOCK_POLICY = 3,        /* policy NONE */
	MORPHEUS_BLOCK_NOT_ESCAPABLE = 4, /* the worker did not opt in */
	MORPHEUS_BLOCK_CRITICAL = 5,      /* inside a critical section */
	MORPHEUS_BLOCK_ACKNOWLEDGED = 6,  /* acknowledged in the meantime */
	MORPHEUS_BLOCK_EARLY = 7,         /* has not run longer than slice + grace */
	MORPHEUS_BLOCK_CGROUP = 8, /* CGROUP_THROTTLE, but the operator does not allow it there */
	MORPHEUS_BLOCK_COUNT,
};

/*
 * One worker, in a memory-mapped array indexed by slot. The daemon writes tid, generation and
 * state; BPF writes the rest, on the worker's CPU or (hints) with atomics. The daemon reads all.
 */
struct morpheus_worker_record {
	__u32 tid;        /* as the daemon's PID namespace numbers it */
	__u32 generation; /* tells apart the workers that use a slot one after the other */
	__u32 state;      /* enum morpheus_worker_state: BPF's own copy, not the client's memory */
	__u32 cpu;        /* where it last ran */
	__u32 priority;   /* as it claimed when it last got a CPU, clamped */
	__u64 seq;        /* preempt_seq as BPF knows it */
	__u64 ended_seq;  /* the newest hint that is no longer open (acknowledged, withdrawn) */
	__u64 hinted_at_ns;   /* or when the worker got the CPU again with the hint open */
	__u64 timed_seq;      /* the hint to which hinted_at_ns belongs */
	__u64 lost_seq;       /* the newest hint counted as lost */
	__u64 run_start_ns;   /* when it last got a CPU; 0 while off CPU */
	__u64 slice_start_ns; /* start of the slice: run start, renewal or acknowledgement */
	__u64 wait_start_ns;  /* when it became runnable without a CPU; 0 otherwise */
	__u64 cpu_time_ns;
	__u64 wait_time_ns;
	__u64 kept_ns; /* how long it kept waiters waiting, in stretches of a hint lead or more */
	__u64 hints[MORPHEUS_HINT_REASON_COUNT];
	__u64 acknowledged;
	__u64 withdrawn;
	__u64 lost;
	__u64 deferrals;   /* slice ends deferred for a critical section or a fresh hint */
	__u64 overruns;    /* deferrals that the hold cap ended */
	__u64 escalations; /* CPU taken, or control group throttled */
	__u64 throttles;   /* of these, the ones that throttled its control group */
	__u64 blocked[MORPHEUS_BLOCK_COUNT];
	__u64 blocked_seq; /* the newest hint counted as blocked */
	__u64 called_seq;  /* the newest hint that became a last call */
} __attribute__((aligned(64)));

/* All hints given to the worker. DEADLINE is no hint of its own: an open one became a last call. */
static inline __u64 morpheus_hints_given(const struct morpheus_worker_record *w)
{
	__u64 sum = 0;
	__u32 reason;

	for (reason = 0; reason < MORPHEUS_HINT_REASON_COUNT; reason++)
		sum += reason == MORPHEUS_HINT_DEADLINE ? 0 : w->hints[reason];
	return sum;
}

/* How a control group is throttled: quota_ns of CPU time in each period, for time_ns. */
struct morpheus_penalty {
	__u64 time_ns;
	__u64 quota_ns;
	__u64 period_ns;
};

#define MORPHEUS_LONGEST_QUOTA_US (1ull << 44) /* the kernel's own limit; "max" is far beyond it */

/* What the operator sets for a control group. */
struct morpheus_group_update {
	__u64 cgroup_id;
	__u64 quota_ns; /* cpu.max; 0: "max" */
	__u64 period_ns;
	__u32 may_be_throttled; /* this group and all below it */
	__u32 only_if_new;      /* apply the bound only to a group that is not known yet */
};

/* How the daemon writes a kernel line that it cannot map (Linux 6.12). */
struct morpheus_line_update {
	__u64 first_seq; /* where preempt_seq starts, if the line is new */
	__u32 slot;
	__u32 line;   /* index in the client's memory */
	__u32 state;  /* enum morpheus_worker_state */
	__u32 is_new; /* forget the line's contents */
};

enum morpheus_event_type {
	MORPHEUS_EVENT_HINT = 1,         /* reason */
	MORPHEUS_EVENT_ACKNOWLEDGED = 2, /* value_ns: from decision to acknowledgement */
	MORPHEUS_EVENT_WITHDRAWN = 3,    /* value_ns: from decision to withdrawal */
	MORPHEUS_EVENT_LOST = 4,         /* the deadline passed; value_ns: age */
	MORPHEUS_EVENT_ESCALATED = 5,    /* value_ns: age of the hint */
	MORPHEUS_EVENT_BLOCKED =
		6, /* reason: enum morpheus_block_reason; value_ns: age of the hint */
	MORPHEUS_EVENT_OVERRUN = 7, /* value_ns: how long the slice was held */
	MORPHEUS_EVENT_EXIT = 8,    /* the worker's thread is gone */
	MORPHEUS_EVENT_RUN = 9,     /* the worker gets a CPU; value_ns: its wait for one */
	MORPHEUS_EVENT_STOP = 10,   /* the worker loses the CPU; value_ns: how long it ran */
	MORPHEUS_EVENT_DEFERRED =
		11, /* the end of its slice is deferred; value_ns: age of the slice */
	/* its control group is throttled, or longer so; value_ns: how long, at least */
	MORPHEUS_EVENT_THROTTLED = 12,
	MORPHEUS_EVENT_UNTHROTTLED = 13, /* the throttle is over; value_ns: how long it lasted */
	MORPHEUS_EVENT_COUNT,
};

/* Two for each context switch of a worker: made only while a client traces. */
#define MORPHEUS_TRACE_EVENTS                                                                      \
	(1u << MORPHEUS_EVENT_RUN | 1u << MORPHEUS_EVENT_STOP | 1u << MORPHEUS_EVENT_DEFERRED)

enum morpheus_event_flag {
	MORPHEUS_FLAG_RUNNABLE = 1, /* STOP: the worker would have run on */
	MORPHEUS_FLAG_CRITICAL =
		2, /* RUN, STOP, DEFERRED: inside a critical section, as it claims */
};

/* Who ended the sched_ext scheduler, which decides what the daemon does next. */
enum morpheus_exit_cause {
	MORPHEUS_EXIT_NONE = 0,     /* it has not ended */
	MORPHEUS_EXIT_DETACHED = 1, /* the daemon */
	MORPHEUS_EXIT_ORDERED = 2,  /* the administrator, by sysrq-S: the daemon must not undo it */
	MORPHEUS_EXIT_RESTART = 3,  /* the kernel, which wants a restart: CPUs came or went */
	MORPHEUS_EXIT_EJECTED = 4,  /* the kernel, for an error or a stall */
};

/* How the scheduler last ended, in the kernel's words. `cause` is written last. */
struct morpheus_scheduler_exit {
	__u64 time_ns;
	__s64 code;
	__u32 cause; /* enum morpheus_exit_cause */
	char reason[64];
	char message[1024];
	char dump[32768]; /* empty unless EJECTED; cut off if the kernel's is longer */
};

/* One record of the ring buffer. */
struct morpheus_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 seq;
	__u64 value_ns;
	__u32 slot;
	__u32 generation;
	__u32 cpu;
	__u16 type;  /* enum morpheus_event_type */
	__u8 reason; /* by type */
	__u8 flags;  /* enum morpheus_event_flag */
};

/*
 * How often something took how long, in powers of two: counts[i] durations were at most
 * 1024 << i ns and longer than the bound before; the last count has no bound.
 */
#define MORPHEUS_TIME_BOUNDS 24u
struct morpheus_time_counts {
	__u64 sum_ns;
	__u64 counts[MORPHEUS_TIME_BOUNDS + 1];
} __attribute__((aligned(64)));

static inline __u64 morpheus_time_bound(__u32 i)
{
	return 1024ull << i;
}

static inline void morpheus_count_time(struct morpheus_time_counts *c, __u64 ns)
{
	__u64 above = ns ? (ns - 1) >> 10 : 0;
	__u32 i = 0;

	/* the bits in `above`, by binary search: BPF has no instruction for it */
	if (above >> 16)
		i += 16, above >>= 16;
	if (above >> 8)
		i += 8, above >>= 8;
	if (above >> 4)
		i += 4, above >>= 4;
	if (above >> 2)
		i += 2, above >>= 2;
	i += above < 2 ? (__u32)above : 2;
	c->sum_ns += ns;
	c->counts[i < MORPHEUS_TIME_BOUNDS ? i : MORPHEUS_TIME_BOUNDS]++;
}

#endif
