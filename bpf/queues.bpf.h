/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where threads wait. Threads that may run on several CPUs wait in one dispatch queue (DSQ) for
 * each last-level cache (LLC), threads bound to one CPU in that CPU's own: so no CPU walks over
 * threads that it cannot take.
 *
 * Each queue has a virtual clock of its own. With one clock for all, a lone thread on one CPU would
 * drive it ahead of the threads that crowd another, and a newcomer there, placed by the clock,
 * would wait for all of them to catch up. Virtual times of different queues are compared as
 * distances from their clocks, and a thread that changes its queue keeps its distance.
 */
#ifndef MORPHEUS_BPF_QUEUES_BPF_H
#define MORPHEUS_BPF_QUEUES_BPF_H

#include "state.bpf.h"

#define SHARED_DSQ (1ull << 32) /* of the first LLC; those of the others follow */

struct shared_queue {
	struct queue_clock clock;
} __attribute__((aligned(CACHE_LINE)));

static struct shared_queue shared_queues[MORPHEUS_MAX_LLCS];

static __always_inline bool is_bound(struct task_struct *p)
{
	return p->nr_cpus_allowed == 1;
}

static __always_inline u64 shared_dsq(s32 cpu)
{
	return SHARED_DSQ + llc_of_cpu(cpu);
}

static __always_inline struct queue_clock *shared_clock(u32 llc)
{
	return &shared_queues[llc & (MORPHEUS_MAX_LLCS - 1)].clock;
}

static __always_inline struct queue_clock *bound_clock(u32 cpu)
{
	return &cpu_state(cpu)->bound.clock;
}

static __always_inline u64 dsq_of(struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);

	return is_bound(p) ? (u64)cpu : shared_dsq(cpu);
}

/* The virtual clock of the queue that `p` belongs to. */
static __always_inline struct queue_clock *clock_of(struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);

	return is_bound(p) ? bound_clock(cpu) : shared_clock(llc_of_cpu(cpu));
}

/* What `p` owes or is owed goes with it to the queue of another LLC. */
static __always_inline void change_llc(struct task_struct *p, u32 from, u32 to)
{
	if (from != to && !is_bound(p))
		p->scx.dsq_vtime += shared_clock(to)->now - shared_clock(from)->now;
}

/*
 * Does a thread that is bound to this CPU wait? Finding a queue costs as much as all else here, and
 * most CPUs have no such thread: the queue is looked at only after a thread was put there.
 *
 * Only with the runqueue of `cpu` locked: a thread that is just being queued has raised the flag
 * and is not in the queue yet. A thread that is queued without that lock raises the flag
 * afterwards. The flag falls before the look, so that it stays up for such a thread.
 */
static __always_inline bool bound_wait(struct cpu_state *c, s32 cpu)
{
	if (!READ_ONCE(c->bound.queued))
		return false;
	__sync_lock_test_and_set(&c->bound.queued, 0); /* a full barrier */
	if (scx_bpf_dsq_nr_queued(cpu) <= 0)
		return false;
	WRITE_ONCE(c->bound.queued, 1);
	return true;
}

/* After `p` was put into its queue, or before the kernel does so with the runqueue locked. */
static __always_inline void note_queued(struct task_struct *p)
{
	if (is_bound(p))
		WRITE_ONCE(cpu_state(scx_bpf_task_cpu(p))->bound.queued, 1);
}

/* For `p`, which waits and did not wake: a CPU that idles would not look by itself. */
static __always_inline void wake_idle_cpu(struct task_struct *p)
{
	s32 cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);

	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_VALUE(scx_kick_flags, SCX_KICK_IDLE));
}

/*
 * Does any other thread wait for this CPU? In the CPU's local queue, too: the kernel itself puts
 * some threads there, those that exit or may not migrate now.
 */
static __always_inline bool unbound_wait(s32 cpu)
{
	return scx_bpf_dsq_nr_queued(shared_dsq(cpu)) > 0 ||
	       scx_bpf_dsq_nr_queued(SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL_ON) | cpu) > 0;
}

/* Only with the runqueue of `cpu` locked. */
static __always_inline bool contended(s32 cpu)
{
	return bound_wait(cpu_state(cpu), cpu) || unbound_wait(cpu);
}

static __always_inline u32 cpus_of_llc(void)
{
	u32 cpus = (u32)nr_cpus / (u32)(nr_llcs ?: 1);

	return cpus ?: 1;
}

/* The place of the last thread that waits in `dsq`; false if no thread does. */
static __always_inline bool last_place(u64 dsq, u64 *place)
{
	struct bpf_iter_scx_dsq it;
	struct task_struct *p = NULL;

	if (!bpf_iter_scx_dsq_new(&it, dsq, SCX_VALUE(scx_dsq_iter_flags, SCX_DSQ_ITER_REV)))
		p = bpf_iter_scx_dsq_next(&it);
	if (p)
		*place = p->scx.dsq_vtime;
	bpf_iter_scx_dsq_destroy(&it);
	return p;
}

/*
 * The clock comes in time to where the last thread waits: what was the last place once is due one
 * POLICY_LONGEST_WAIT_NS later.
 */
OUT_OF_LINE void keep_up(struct queue_clock *clock, u64 dsq, u64 now)
{
	u64 since = READ_ONCE(clock->due_set_ns), last = 0;

	if (__sync_val_compare_and_swap(&clock->due_set_ns, since, now) != since)
		return;
	if (policy_vtime_before(clock->now, clock->due))
		clock->now = clock->due;
	clock->due = last_place(dsq, &last) ? last : clock->now;
}

#endif
