/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which thread runs next on a CPU: the present one again, or the first of one of its two queues.
 * Virtual time decides: within a queue, and between the two by the distances from their clocks.
 */
#ifndef MORPHEUS_BPF_TURNS_BPF_H
#define MORPHEUS_BPF_TURNS_BPF_H

#include "balance.bpf.h"

static __always_inline u64 slice_of(struct task_struct *p)
{
	return policy_slice_beside(runnable_beside(p), &tunables);
}

/* The weight of the thread that has this CPU. */
static __always_inline u32 running_weight(struct cpu_state *c)
{
	/* Without workers no switch is observed, and the last one's slot stays noted. */
	return nr_workers && c->slot
		       ? policy_worker_weight(c->run.weight, worker_of(c->slot)->priority)
		       : c->run.weight;
}

/*
 * Is the running thread owed more than every thread that waits in its queue? Where threads wait in
 * the CPU's other queue, too, it does not stay: the first of both is found.
 */
static __always_inline bool stays(struct cpu_state *c, s32 cpu, struct task_struct *p, bool yielded)
{
	u64 now = bpf_ktime_get_ns(), vtime = p->scx.dsq_vtime, first = 0;
	u32 weight = running_weight(c);

	if ((is_bound(p) ? scx_bpf_dsq_nr_queued(shared_dsq(cpu)) > 0 : bound_wait(c, cpu)) ||
	    !compat_first_vtime(dsq_of(p), &first))
		return false;
	vtime += policy_vtime_delta(p->se.sum_exec_runtime - c->run.vtime_exec_ns, weight);
	vtime = policy_vtime_entered(vtime, clock_of(p)->now, slice_of(p));
	return policy_stays(vtime, first, weight, now - c->run.start_ns, yielded, &tunables);
}

/*
 * `p` ran for `ran` here, and threads may have waited in the CPU's other queue. That queue's clock
 * is not moved by its own threads then: it moves as far as each of them could have had of the run.
 */
static __always_inline void credit_passed_over(struct cpu_state *c, s32 cpu, struct task_struct *p,
					       u64 ran, u32 weight)
{
	const bool bound = is_bound(p);
	const u64 here = cpu, shared = shared_dsq(cpu);
	const u64 own = bound ? here : shared, other = bound ? shared : here;
	s32 waiting, beside;

	if (!bound && !READ_ONCE(c->bound.queued))
		return;
	waiting = scx_bpf_dsq_nr_queued(other);
	if (waiting <= 0)
		return;
	beside = scx_bpf_dsq_nr_queued(own);
	if (bound)
		__sync_fetch_and_add(
			&shared_clock(llc_of_cpu(cpu))->now,
			policy_passed_over(ran, weight, cpus_of_llc() * (1 + beside) + waiting));
	else
		c->bound.clock.now +=
			policy_passed_over(ran, weight, 1 + waiting + beside / cpus_of_llc());
}

/* Threads wait in both queues: the one goes first that its queue's threads owe more. */
static __always_inline bool take_own(struct cpu_state *c, s32 cpu)
{
	u64 shared_queue = shared_dsq(cpu), here = 0, shared = 0;

	if (!bound_wait(c, cpu))
		return compat_move_to_local(shared_queue);
	if (!compat_first_vtime(cpu, &here) || !compat_first_vtime(shared_queue, &shared))
		return compat_move_to_local(cpu) || compat_move_to_local(shared_queue);
	here -= c->bound.clock.now;
	shared -= shared_clock(llc_of_cpu(cpu))->now;
	if (policy_vtime_before(shared, here))
		return compat_move_to_local(shared_queue) || compat_move_to_local(cpu);
	return compat_move_to_local(cpu) || compat_move_to_local(shared_queue);
}

static __always_inline bool take_next(struct cpu_state *c, s32 cpu)
{
	return take_own(c, cpu) || (nr_llcs > 1 && take_anywhere(c, cpu));
}

#endif
