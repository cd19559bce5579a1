/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Blame, the part that hints call: notes that a worker is due for a sample of its stack, and since
 * when threads wait. It is off unless the daemon asks for it, and then costs one test of a global
 * where a hint is late or a waiter is noted.
 *
 * What is due is taken by blame.bpf.c. The stack of a thread can only be walked on its own CPU
 * while it is the current one, and neither the scheduler's programs nor a timer's callback may
 * (struct_ops lack the helper; a timer's callback belongs to a program that may sleep, and so gets
 * the form that may fault).
 */
#ifndef MORPHEUS_BPF_BLAME_BPF_H
#define MORPHEUS_BPF_BLAME_BPF_H

#include "state.bpf.h"

#include "proto/blame.h"

#define BLAME_SECOND_NS 1000000000ull
#define BLAME_WAITS 4096

/* A sample that is due on a CPU. `slot` is written last and taken first. */
struct blame_due {
	u32 slot; /* 0: none */
	u32 cause;
	u64 seq;
};

/* Bounds the samples of a worker. */
struct blame_bound {
	u64 seq; /* the last hint for which a sample was due */
	u64 second_ns;
	u32 taken;
	u32 skipped;
};

/* A thread that waits. */
struct blame_waiter {
	u64 since_ns;
	u64 seq; /* the hint of the first worker that was sampled meanwhile */
	u32 slot;
	u32 generation;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BLAME_WAITS);
	__type(key, u32);
	__type(value, struct blame_waiter);
} blame_waiters SEC(".maps");

static struct blame_due blame_dues[MORPHEUS_MAX_CPUS];
static struct blame_bound blame_bounds[MORPHEUS_MAX_WORKERS];
__u64 blame_since_ns; /* since when the daemon wants samples; 0: it does not */

static __always_inline struct blame_due *blame_due_on(u32 cpu)
{
	return &blame_dues[cpu & (MORPHEUS_MAX_CPUS - 1)];
}

/* At most one sample for each hint, and only so many in a second. */
OUT_OF_LINE void note_blame(u32 slot, u32 cause, u64 now)
{
	struct blame_bound *b = &blame_bounds[slot & (MORPHEUS_MAX_WORKERS - 1)];
	struct morpheus_worker_record *w = worker_of(slot);
	struct blame_due *due = blame_due_on(w->cpu);

	if (b->seq == w->seq)
		return;
	b->seq = w->seq;
	if (now - b->second_ns >= BLAME_SECOND_NS) {
		b->second_ns = now;
		b->taken = 0;
	}
	if (b->taken >= MORPHEUS_BLAME_PER_SECOND) {
		b->skipped++;
		return;
	}
	b->taken++;
	due->cause = cause;
	due->seq = w->seq;
	WRITE_ONCE(due->slot, slot);
}

static __always_inline void blame(u32 slot, u32 cause, u64 now)
{
	if (blame_since_ns)
		note_blame(slot, cause, now);
}

/* A waiter that only moves to another CPU goes on waiting. What an older look left is forgotten. */
OUT_OF_LINE void note_blame_waiter(u32 pid)
{
	struct blame_waiter *old = bpf_map_lookup_elem(&blame_waiters, &pid);
	struct blame_waiter fresh = {};

	if (old && old->since_ns >= blame_since_ns)
		return;
	fresh.since_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&blame_waiters, &pid, &fresh, BPF_ANY);
}

static __always_inline void blame_waits(u32 pid)
{
	if (blame_since_ns)
		note_blame_waiter(pid);
}

#endif
