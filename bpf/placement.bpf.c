/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler's callbacks that decide where a thread waits: on which CPU it wakes, and at which
 * place of which queue.
 */
#include "bandwidth.bpf.h"
#include "preemption.bpf.h"
#include "queues.bpf.h"
#include "weights.bpf.h"

/* How many CPUs to scan for a worker to hint. */
#define CPUS_TO_SCAN 8

/*
 * No CPU is idle: on which one should `p` wait, that is, which worker should be hinted to make
 * room? The queue is the LLC's, so any CPU of that will do.
 */
OUT_OF_LINE s32 cpu_to_hint(struct task_struct *p, s32 cpu)
{
	u32 llc = llc_of_cpu(cpu), best = 0;
	s32 found = cpu;
	int i;

	bpf_for(i, 0, CPUS_TO_SCAN) {
		u32 at = (u32)(cpu + i) % (nr_cpus ?: 1);
		u32 slot = cpu_state(at)->slot;

		if (!slot || llc_of_cpu(at) != llc || !policy_can_be_hinted(worker_of(slot)) ||
		    !bpf_cpumask_test_cpu(at, p->cpus_ptr))
			continue;
		if (!best || policy_hinted_before(worker_of(slot), worker_of(best))) {
			best = slot;
			found = at;
		}
	}
	return found;
}

SEC("struct_ops/select_cpu")
s32 BPF_PROG(morpheus_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	/* Where it slept is task_cpu; prev_cpu is where the waker would like it, as a workqueue. */
	u32 from = llc_of_cpu(scx_bpf_task_cpu(p));
	bool idle = false;
	s32 cpu;

	cpu_state(bpf_get_smp_processor_id())->woken_in_sync =
		wake_flags & SCX_VALUE(scx_wake_flags, SCX_WAKE_SYNC) ? p->pid : 0;
	if (is_out_of_time(p) && !slept_in_kernel(p)) {
		change_llc(p, from, llc_of_cpu(prev_cpu));
		return prev_cpu; /* it will be parked: no idle CPU for it */
	}
	cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);
	if (!idle && nr_workers && !is_bound(p))
		cpu = cpu_to_hint(p, cpu);
	change_llc(p, from, llc_of_cpu(cpu));
	if (idle)
		compat_insert(p, SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL), tunables.slice_ns, 0);
	return cpu;
}

/*
 * Is the waker of `p`, on this CPU, about to sleep? Known only for threads that may run on several
 * CPUs: for others the kernel does not call select_cpu.
 */
static __always_inline bool is_woken_in_sync(struct task_struct *p)
{
	struct cpu_state *here = cpu_state(bpf_get_smp_processor_id());

	if (here->woken_in_sync != (u32)p->pid)
		return false;
	here->woken_in_sync = 0;
	return true;
}

/* Without workers no thread makes room for another, and the order is by virtual time alone. */
static __always_inline bool may_go_ahead(struct cpu_state *c, u64 owed)
{
	return nr_workers && policy_may_go_ahead(owed, READ_ONCE(c->waiters.count), c->ahead_until,
						 bpf_ktime_get_ns(), &tunables);
}

/*
 * Where `p`, which slept, enters a queue whose clock is `clock`. A worker keeps all that it owes:
 * it can have overdrawn its slice by the hold cap.
 */
static __always_inline u64 place_of_woken(struct task_struct *p, u64 vtime, u64 clock)
{
	u32 runnable = runnable_beside(p);

	if (policy_owes_much(vtime - clock, runnable, &tunables) && !lines_of(p))
		vtime = clock + policy_crowd_owes(vtime - clock, runnable, weight_of(p), &tunables);
	return policy_vtime_entered(vtime, clock, tunables.hint_lead_ns);
}

SEC("struct_ops/enqueue")
void BPF_PROG(morpheus_enqueue, struct task_struct *p, u64 enq_flags)
{
	bool woken = enq_flags & SCX_VALUE(scx_enq_flags, SCX_ENQ_WAKEUP);
	u64 clock = clock_of(p)->now, vtime = policy_vtime_of(p->scx.dsq_vtime, clock);
	s32 cpu = scx_bpf_task_cpu(p);
	u64 place, slice;

	if (is_out_of_time(p) && !(woken && slept_in_kernel(p))) {
		park(p, enq_flags);
		return;
	}
	note_queued(p);
	slice = policy_slice_beside(runnable_beside(p), &tunables);
	/* The kernel moves it, since its CPUs have changed: its virtual time is another queue's. */
	if (is_migrating(p))
		vtime = clock + policy_vtime_delta(tunables.slice_ns, weight_of(p));
	if (!woken) {
		vtime = policy_vtime_entered(vtime, clock, slice);
		compat_insert_vtime(p, dsq_of(p), slice, vtime, enq_flags);
		/* It was out of time, and its CPU is about to idle: there is time again. */
		if (enq_flags & SCX_VALUE(scx_enq_flags, SCX_ENQ_LAST))
			scx_bpf_kick_cpu(cpu, 0);
		else if (!is_bound(p))
			wake_idle_cpu(p);
		return;
	}
	vtime = place_of_woken(p, vtime, clock);
	place = may_go_ahead(cpu_state(cpu), vtime - clock) ? vtime - POLICY_AHEAD : vtime;
	compat_insert_vtime(p, dsq_of(p), slice, place, enq_flags);
	preempt_ordinary(cpu, vtime - clock, is_woken_in_sync(p));
}

/* How far the thread that runs on this CPU is from its queue's clock; 0: it is not ours. */
static __always_inline u64 owed_by_current(void)
{
	struct task_struct *p = bpf_get_current_task_btf();
	struct cpu_state *c = cpu_state(bpf_get_smp_processor_id());
	u64 ran = p->se.sum_exec_runtime - c->run.vtime_exec_ns;

	if (!c->run.start_ns)
		return 0;
	return p->scx.dsq_vtime - clock_of(p)->now + policy_vtime_delta(ran, c->run.weight);
}

/*
 * For all threads when the scheduler is attached, for each that is made later, and for one that
 * comes from another class.
 */
SEC("struct_ops/enable")
void BPF_PROG(morpheus_enable, struct task_struct *p)
{
	p->scx.dsq_vtime = clock_of(p)->now;
	if (!p->se.sum_exec_runtime)
		p->scx.dsq_vtime +=
			policy_distance_born(owed_by_current(), weight_of(p), &tunables);
}

/*
 * The thread may have come to another queue, whose clock says nothing about what it owes. It pays a
 * whole slice, the most that it can have run since it was last charged: changing one's CPUs gains
 * nothing. One that runs or waits has its new CPU's clock when the kernel moves it; one that sleeps
 * and is bound is moved when it wakes, and nothing asks us then.
 */
SEC("struct_ops/set_cpumask")
void BPF_PROG(morpheus_set_cpumask, struct task_struct *p, const struct cpumask *mask)
{
	struct queue_clock *clock = is_bound(p) && is_asleep(p)
					    ? bound_clock(bpf_cpumask_first(p->cpus_ptr))
					    : clock_of(p);

	p->scx.dsq_vtime = clock->now + policy_vtime_delta(tunables.slice_ns, weight_of(p));
}

SEC("struct_ops/runnable")
void BPF_PROG(morpheus_runnable, struct task_struct *p, u64 enq_flags)
{
	count_in_groups(p, 1);
}

/* Also when its CPUs, its nice value or its group are about to change. */
SEC("struct_ops/quiescent")
void BPF_PROG(morpheus_quiescent, struct task_struct *p, u64 deq_flags)
{
	count_in_groups(p, -1);
}
