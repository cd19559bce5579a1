/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which thread runs next on a CPU: the present one again, or the first of one of its two queues.
 * Within a queue virtual time decides. Between the queues it decides only in part: while both are
 * crowded the distances from their clocks need not change, so the two also take turns.
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
 * the CPU's other queue, too, it does not stay: the queues have turns.
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
 * Since when the queue that was passed over counts as waiting, if the running thread stopped now.
 */
static __always_inline u64 passed_since(struct cpu_state *c, struct task_struct *p, u64 now)
{
	if (c->run.ahead || c->turn.passed_over != (is_bound(p) ? QUEUE_BOUND : QUEUE_SHARED))
		return c->turn.since_ns;
	return policy_passed_over_since(c->turn.since_ns, now,
					p->se.sum_exec_runtime - c->run.vtime_exec_ns,
					c->turn.round);
}

/*
 * Threads wait in both queues, and virtual times say only which queue's first is further behind.
 * That queue comes first, but the other has its turn once it was passed over for long.
 */
static __always_inline bool turn_of_bound(struct cpu_state *c, s32 cpu, struct task_struct *prev,
					  bool bound_first)
{
	u8 passed_over = bound_first ? QUEUE_SHARED : QUEUE_BOUND;
	u64 now = bpf_ktime_get_ns();

	if (c->turn.passed_over != passed_over) {
		c->turn.passed_over = passed_over;
		c->turn.since_ns = now;
		return bound_first;
	}
	c->turn.round = bound_first ? round_of_bound(cpu) : round_of_shared(cpu);
	if (policy_passed_over_long(prev ? passed_since(c, prev, now) : c->turn.since_ns, now,
				    c->turn.round, &tunables))
		return !bound_first;
	return bound_first;
}

static __always_inline bool take_own(struct cpu_state *c, s32 cpu, struct task_struct *prev)
{
	u64 shared_queue = shared_dsq(cpu), here = 0, shared = 0;
	bool bound_first;

	if (!bound_wait(c, cpu))
		return compat_move_to_local(shared_queue);
	if (!compat_first_vtime(cpu, &here) || !compat_first_vtime(shared_queue, &shared))
		return compat_move_to_local(cpu) || compat_move_to_local(shared_queue);
	here -= c->bound.clock.now;
	shared -= shared_clock(llc_of_cpu(cpu))->now;
	bound_first = !policy_vtime_before(shared, here);
	/*
	 * A thread that goes ahead of virtual time uses up no turn: the others of its queue wait
	 * on.
	 */
	if (!policy_is_ahead(bound_first ? here : shared))
		bound_first = turn_of_bound(c, cpu, prev, bound_first);
	if (bound_first)
		return compat_move_to_local(cpu) || compat_move_to_local(shared_queue);
	return compat_move_to_local(shared_queue) || compat_move_to_local(cpu);
}

/* `prev`: the running thread, if it would go on. */
static __always_inline bool take_next(struct cpu_state *c, s32 cpu, struct task_struct *prev)
{
	return take_own(c, cpu, prev) || (nr_llcs > 1 && take_anywhere(c, cpu));
}

#endif
