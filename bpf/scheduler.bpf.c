/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sched_ext half, attached in Enforced mode only: virtual-time fair to every thread, and
 * patient with workers. Hints come from the observer half, in both modes, except for the one whose
 * reason only this half can know (IMBALANCE). What it adds: a slice that ends inside a critical
 * section or beside a fresh hint is deferred, and a worker that consented and let a hint's deadline
 * pass loses the CPU.
 *
 * docs/scheduler.md follows a thread from its wakeup to the CPU. placement.bpf.c decides where it
 * waits; the callbacks here decide which thread has the CPU and for how long.
 */
#include "escalation.bpf.h"
#include "preemption.bpf.h"
#include "slices.bpf.h"
#include "turns.bpf.h"
#include "weights.bpf.h"

SEC("struct_ops/dispatch")
void BPF_PROG(morpheus_dispatch, s32 cpu, struct task_struct *prev)
{
	struct cpu_state *c = cpu_state(cpu);
	bool on_rq = prev && (prev->scx.flags & SCX_VALUE(scx_ent_flags, SCX_TASK_QUEUED));
	u32 slot, yielded = c->run.yielded, ended = c->run.ended;

	c->run.yielded = 0;
	c->run.ended = 0;
	if (on_rq)
		adopt(c, cpu, prev);
	slot = running_worker(c);
	/*
	 * The tick ends a slice by setting it to 0 and says so. A slice that is 0 for no such
	 * reason comes from a kick that was meant for the thread before. It must not cost a worker
	 * its critical section, so the same judgement is made here, at the last place before the
	 * CPU is given away.
	 */
	if (on_rq && slot && !yielded && !ended) {
		ended = judge_slice(prev, cpu, slot, bpf_ktime_get_ns());
		if (policy_goes_on(ended)) {
			prev->scx.slice = LEASE_NS;
			return;
		}
	}
	if (c->balance.helps && help(c))
		return;
	on_rq = on_rq && !is_out_of_time(prev);
	if (on_rq && policy_may_stay(ended) && stays(c, cpu, prev, yielded)) {
		if (slot)
			worker_of(slot)->slice_start_ns = bpf_ktime_get_ns();
		c->run.gave_up = 0;
		prev->scx.slice = slot ? LEASE_NS : slice_of(prev);
		return;
	}
	if (!take_next(c, cpu) && on_rq) {
		c->run.gave_up = 0;
		prev->scx.slice = slice_of(prev);
	}
}

SEC("struct_ops/yield")
bool BPF_PROG(morpheus_yield, struct task_struct *from, struct task_struct *to)
{
	struct cpu_state *c = cpu_state(bpf_get_smp_processor_id());
	u32 slot = running_worker(c);

	from->scx.slice = 0;
	c->run.yielded = 1;
	c->run.gave_up = !slot || !policy_yield_answers(worker_of(slot));
	return false;
}

/* Threads wait in another LLC's queue that would run sooner here. */
OUT_OF_LINE void hint_for_balance(struct worker_lines *lines, u32 slot, u64 now)
{
	kernel_line_t *line = kernel_line(lines);

	if (line && policy_hint_imbalance(worker_of(slot), &tunables, now))
		give_hint(slot, line, MORPHEUS_HINT_IMBALANCE, now);
}

/*
 * What ends the slice of a worker that is interrupted by a tick; POLICY_SLICE_KEEP: nothing does.
 */
static __always_inline u32 judge_tick(struct task_struct *p, struct worker_lines *lines, s32 cpu,
				      u32 slot, bool out_of_time)
{
	u64 now = bpf_ktime_get_ns();
	u32 verdict;

	if (cpu_state(cpu)->balance.helps)
		hint_for_balance(lines, slot, now);
	/* The waiter may have found another CPU since the hint: then nothing is escalated. */
	if (contended(cpu) && escalate(p, lines, cpu, slot, now))
		return POLICY_SLICE_TAKEN;
	if (out_of_time && stops_now(lines, slot, now))
		return POLICY_SLICE_TAKEN;
	verdict = judge_slice(p, cpu, slot, now);
	return policy_goes_on(verdict) ? POLICY_SLICE_KEEP : verdict;
}

/*
 * On the thread's own CPU, in its interrupt. A slice of 0 set here makes the kernel reschedule
 * before the thread executes another instruction.
 */
SEC("struct_ops/tick")
void BPF_PROG(morpheus_tick, struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);
	struct cpu_state *c = cpu_state(cpu);
	bool out_of_time = charge_running(c, p);
	struct worker_lines *lines;
	u32 slot;

	if (c->run.yielded)
		return; /* on its way out: a new slice would undo the yield */
	/* A thread that has a CPU to itself owes nothing for it to those that come later. */
	if (!contended(cpu))
		c->run.vtime_exec_ns = p->se.sum_exec_runtime;
	if (nr_llcs > 1)
		look_around(c, cpu, bpf_ktime_get_ns());
	adopt(c, cpu, p);
	slot = running_worker(c);
	lines = slot ? lines_of(p) : NULL;
	if (lines && lines->slot == slot) {
		c->run.ended = judge_tick(p, lines, cpu, slot, out_of_time);
		p->scx.slice = c->run.ended ? 0 : LEASE_NS;
		return;
	}
	/* The kernel refills a lone thread's slice with its own long default. */
	if (out_of_time)
		p->scx.slice = 0;
	else if (p->scx.slice > tunables.slice_ns)
		p->scx.slice = slice_of(p);
}

SEC("struct_ops/running")
void BPF_PROG(morpheus_running, struct task_struct *p)
{
	struct cpu_state *c = cpu_state(scx_bpf_task_cpu(p));
	struct queue_clock *clock = clock_of(p);
	u64 place = p->scx.dsq_vtime, now = bpf_ktime_get_ns(), vtime;

	if (now - clock->due_set_ns > POLICY_LONGEST_WAIT_NS)
		keep_up(clock, dsq_of(p), now);
	if (c->balance.helped && !is_bound(p))
		place += clock->now - shared_clock(c->balance.helped - 1)->now;
	c->balance.helped = 0;
	vtime = policy_vtime_of(place, clock->now);
	c->run.ahead = vtime != place;
	p->scx.dsq_vtime = vtime;
	/*
	 * A thread that gets the CPU back has what was left of its slice. One that was queued anew
	 * instead (when its CPUs or its nice value change, or the kernel bypasses us) has waited
	 * its turn, and begins a slice.
	 */
	c->displaced.resumed = p->scx.slice == c->displaced.slice ? c->displaced.slot : 0;
	c->displaced.slot = 0;
	/*
	 * A thread that comes from its queue was the first there, and the clock follows it. A turn
	 * that goes on says nothing about the threads that wait.
	 */
	if (!c->run.ahead && !c->displaced.resumed && policy_vtime_before(clock->now, vtime))
		clock->now = vtime;
	c->run.vtime_exec_ns = c->run.groups_exec_ns = p->se.sum_exec_runtime;
	c->run.distance = vtime - clock->now;
	c->run.weight = weight_of(p);
	c->run.start_ns = now;
	c->run.yielded = 0;
	c->run.gave_up = 0;
	c->run.ended = 0;
	/* The kernel ends a slice on a tick, which is too late here. */
	if (is_out_of_time(p))
		preempt_later(c, scx_bpf_task_cpu(p), PREEMPT_EVEN_ALONE,
			      is_in_kernel(p) ? LEAVES_KERNEL_NS : PASSES_BY_NS);
	else if (policy_is_crowd(runnable_beside(p), &tunables))
		preempt_later(c, scx_bpf_task_cpu(p), PREEMPT_ANYWAY, p->scx.slice);
}

SEC("struct_ops/stopping")
void BPF_PROG(morpheus_stopping, struct task_struct *p, bool runnable)
{
	struct cpu_state *c = cpu_state(scx_bpf_task_cpu(p));
	u64 ran = p->se.sum_exec_runtime - c->run.vtime_exec_ns;
	u64 cost = policy_turn_cost(ran, c->run.gave_up, &tunables);
	u32 weight = running_weight(c);

	p->scx.dsq_vtime += policy_vtime_delta(cost, weight);
	/* The clock moves as far as each of the threads there could have had of this run. */
	if (c->run.ahead)
		clock_of(p)->now += policy_vtime_delta(cost, policy_at_least_ordinary(weight)) /
				    (1 + scx_bpf_dsq_nr_queued(dsq_of(p)));
	if (c->run.ahead)
		c->ahead_until = policy_charge_ahead(c->ahead_until, bpf_ktime_get_ns(), ran,
						     weight, &tunables);
	credit_passed_over(c, scx_bpf_task_cpu(p), p, ran, weight);
	c->run.start_ns = 0;
	charge_running(c, p);
	/*
	 * With time left only a higher class takes the CPU, and the kernel gives it back
	 * afterwards.
	 */
	c->displaced.slot = runnable && p->scx.slice ? c->slot : 0;
	c->displaced.slice = p->scx.slice;
}

SEC("struct_ops.s/init")
s32 BPF_PROG(morpheus_init)
{
	s32 err = scx_bpf_create_dsq(PARKING_DSQ, NUMA_NO_NODE);
	int cpu, llc;

	bpf_for(llc, 0, nr_llcs) {
		if (!err)
			err = scx_bpf_create_dsq(SHARED_DSQ + llc, NUMA_NO_NODE);
	}
	bpf_for(cpu, 0, nr_cpus) {
		if (!err)
			err = scx_bpf_create_dsq(cpu, NUMA_NO_NODE);
	}
	forget_groups();
	if (!err) {
		scheduler_exit.cause = MORPHEUS_EXIT_NONE;
		mode = MORPHEUS_ENFORCED;
	}
	return err;
}

/* 6.17 brought this member; elsewhere the daemon clears it and reads cpu.max itself. */
SEC("struct_ops/cgroup_set_bandwidth")
void BPF_PROG(morpheus_cgroup_set_bandwidth, struct cgroup *cgrp, u64 period_us, u64 quota_us,
	      u64 burst_us)
{
	bool unbounded = quota_us > MORPHEUS_LONGEST_QUOTA_US;

	bound_group(cgrp->kn->id, unbounded ? 0 : quota_us * 1000, period_us * 1000);
}

SEC(".struct_ops.link")
struct sched_ext_ops morpheus_ops = {
	.select_cpu = (void *)morpheus_select_cpu,
	.enqueue = (void *)morpheus_enqueue,
	.dispatch = (void *)morpheus_dispatch,
	.tick = (void *)morpheus_tick,
	.yield = (void *)morpheus_yield,
	.running = (void *)morpheus_running,
	.stopping = (void *)morpheus_stopping,
	.enable = (void *)morpheus_enable,
	.set_cpumask = (void *)morpheus_set_cpumask,
	.runnable = (void *)morpheus_runnable,
	.quiescent = (void *)morpheus_quiescent,
	.cgroup_set_bandwidth = (void *)morpheus_cgroup_set_bandwidth,
	.init = (void *)morpheus_init,
	.exit = (void *)morpheus_exit,
	.dump = (void *)morpheus_dump,
	.dump_cpu = (void *)morpheus_dump_cpu,
	.dump_task = (void *)morpheus_dump_task,
	.flags = SCX_OPS_ENQ_LAST, /* a lone thread can be out of time, too */
	.timeout_ms = 30000, /* the kernel's own bound: ten thousand threads may crowd a CPU */
	.name = "morpheus",
};
