/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs know of each CPU: which worker has it, which threads wait for it, and the
 * present run as the scheduler accounts for it. docs/scheduler.md has a table of what each callback
 * does to which group of fields.
 */
#ifndef MORPHEUS_BPF_CPU_STATE_BPF_H
#define MORPHEUS_BPF_CPU_STATE_BPF_H

#include "compat.bpf.h"
#include "policy.bpf.h"
#include "proto/events.h"

#define MAX_WAITING POLICY_MOST_WAITERS
#define CACHE_LINE 64

/* Threads that woke on this CPU and have not run since. Any CPU may add one: hence the atomics. */
struct waiters {
	u32 count;
	/* It woke while the CPU was idle and will most likely get it next; 0: none. */
	u32 claimant;
	u32 pids[MAX_WAITING];      /* 0: free */
	u8 hints_left[MAX_WAITING]; /* how many more hints each of them is worth */
};

/* The present run of a thread of our class, from running to stopping. */
struct run {
	u64 start_ns; /* 0: no thread of our class runs */
	/* The thread's CPU time for which its virtual time, and its groups, are charged already. */
	u64 vtime_exec_ns;
	u64 groups_exec_ns;
	u64 distance; /* of its virtual time from its queue's clock at the start; signed */
	u32 weight;
	u8 ahead;   /* it came here ahead of its virtual time */
	u8 yielded; /* it gave way by itself */
	u8 gave_up; /* and was not asked to, so that it pays for a slice */
	u8 ended;   /* what ended its slice on purpose, enum policy_slice; 0: nothing */
};

/* A worker that lost this CPU in mid-slice, as happens only when a higher class takes it. */
struct displaced {
	u64 slice;   /* what was left of its slice */
	u32 slot;    /* 0: none */
	u32 resumed; /* the same worker, when it got the CPU back: until enter() has seen it */
};

/* The virtual clock of a queue, and by when it must have come how far: see keep_up(). */
struct queue_clock {
	u64 now;
	u64 due;
	u64 due_set_ns;
};

/* The queue of the threads that are bound to this CPU. */
struct bound_queue {
	struct queue_clock clock;
	u32 queued; /* a thread may wait there: see bound_wait() */
};

/* Help for another last-level cache, whose queue is much longer. */
struct balance {
	u64 alone_until; /* it could not help: until then it looks at its own queue only */
	u8 helps;        /* 1 + the cache from whose queue it takes next; 0: its own */
	u8 helped;       /* 1 + the cache from whose queue it has just taken; 0: its own */
};

/*
 * A timer that will take the CPU for a woken thread, if the run that it was armed in still lasts.
 * Its callback takes no lock.
 */
struct preemption {
	u64 run_start_ns; /* of that run */
	u64 distance;     /* of the woken thread from its queue's clock; signed */
	u32 armed;
};

/*
 * Written under the CPU's runqueue lock, which every tracepoint and callback used here holds,
 * except where `waiters`, `preemption` and bound_wait() say otherwise. Groups that are used
 * together share a cache line: a switch between ordinary threads touches the first three lines, and
 * without the scheduler one.
 */
struct cpu_state {
	u32 slot; /* the worker that has this CPU, 0: none */
	u32 timer_armed;
	u32 parked; /* the thread that was parked here just now, until it loses the CPU; 0: none */
	struct waiters waiters;
	u32 woken_in_sync; /* a thread woken from here by one that is about to sleep; 0: none */

	struct run run __attribute__((aligned(CACHE_LINE)));
	struct displaced displaced;
	u64 ahead_until; /* see policy_may_go_ahead() */

	struct bound_queue bound __attribute__((aligned(CACHE_LINE)));
	struct balance balance;

	struct preemption preemption __attribute__((aligned(CACHE_LINE)));
};

_Static_assert(sizeof(struct cpu_state) == 4 * CACHE_LINE,
	       "cpu_state: a group has outgrown its line");

static struct cpu_state cpus[MORPHEUS_MAX_CPUS];
/* A bit for each CPU: a wakeup looks for one that idles, and most often 64 do not at once. */
static u64 idle_cpus[MORPHEUS_MAX_CPUS / 64];

static __always_inline struct cpu_state *cpu_state(u32 cpu)
{
	return &cpus[cpu & (MORPHEUS_MAX_CPUS - 1)];
}

static __always_inline u64 *idle_word(u32 cpu)
{
	return &idle_cpus[cpu / 64 & (MORPHEUS_MAX_CPUS / 64 - 1)];
}

static __always_inline bool cpu_is_idle(u32 cpu)
{
	return READ_ONCE(*idle_word(cpu)) & 1ull << cpu % 64;
}

/* Most switches change nothing: they must not take the line from the CPUs beside this one. */
static __always_inline void note_idle(u32 cpu, bool idle)
{
	if (cpu_is_idle(cpu) == idle)
		return;
	if (idle)
		__sync_fetch_and_or(idle_word(cpu), 1ull << cpu % 64);
	else
		__sync_fetch_and_and(idle_word(cpu), ~(1ull << cpu % 64));
}

#endif
