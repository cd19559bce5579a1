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

struct llc_clock {
	u64 now;
} __attribute__((aligned(CACHE_LINE)));

static struct llc_clock shared_clocks[MORPHEUS_MAX_LLCS];

static __always_inline bool is_bound(struct task_struct *p)
{
	return p->nr_cpus_allowed == 1;
}

static __always_inline u64 shared_dsq(s32 cpu)
{
	return SHARED_DSQ + llc_of_cpu(cpu);
}

static __always_inline u64 *shared_clock(u32 llc)
{
	return &shared_clocks[llc & (MORPHEUS_MAX_LLCS - 1)].now;
}

static __always_inline u64 dsq_of(struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);

	return is_bound(p) ? (u64)cpu : shared_dsq(cpu);
}

/* The virtual clock of the queue that `p` belongs to. */
static __always_inline u64 *clock_of(struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);

	return is_bound(p) ? &cpu_state(cpu)->bound.clock : shared_clock(llc_of_cpu(cpu));
}

/* What `p` owes or is owed goes with it to the queue of another LLC. */
static __always_inline void change_llc(struct task_struct *p, u32 from, u32 to)
{
	if (from != to && !is_bound(p))
		p->scx.dsq_vtime += *shared_clock(to) - *shared_clock(from);
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

static __always_inline u32 round_of_bound(s32 cpu)
{
	return policy_round(scx_bpf_dsq_nr_queued(cpu), 1);
}

static __always_inline u32 round_of_shared(s32 cpu)
{
	return policy_round(scx_bpf_dsq_nr_queued(shared_dsq(cpu)),
			    (u32)nr_cpus / (u32)(nr_llcs ?: 1));
}

/*
 * The virtual time with which `p`, on `cpu`, may enter its queue. The queue's length is looked up
 * only for a thread that owes much. The count of runnable threads includes those that enter the
 * queue a moment later, as all threads do when the scheduler begins.
 */
static __always_inline u64 entry_vtime(struct task_struct *p, s32 cpu, u64 vtime, u64 clock)
{
	u32 round = 1;

	if (policy_owes_much(vtime, clock, &tunables)) {
		u32 shared = is_bound(p) ? 0 : round_of_shared(cpu);

		round = policy_round(runnable_beside(p), 1);
		round = shared > round ? shared : round;
	}
	return policy_vtime_clamp(vtime, clock, round, &tunables);
}

#endif
