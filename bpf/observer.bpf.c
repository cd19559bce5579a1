/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The observer half: tracing programs that see which threads wait and hint the workers in their
 * way. It runs in both modes and changes no scheduling decision: it writes to workers' kernel lines
 * and to its own maps, nothing else.
 *
 * A hint belongs to a waiter. A thread that wakes on a busy CPU is noted there until it runs, there
 * or elsewhere. As long as a waiter is noted, every worker that takes the CPU is hinted. When none
 * is left, an open hint is withdrawn: at once if its worker runs, and otherwise when that worker
 * next gets a CPU, before it executes anything.
 */
#include "bandwidth.bpf.h"
#include "runs.bpf.h"

/* A waiter came or left: looks at the worker on `c`, which may be another CPU. */
OUT_OF_LINE void waiters_changed(struct cpu_state *c, u64 now)
{
	u32 slot = READ_ONCE(c->slot);
	struct worker_lines *lines = slot ? lines_of_slot(slot) : NULL;

	if (!lines)
		return;
	if (READ_ONCE(c->waiters.count))
		look(c, slot, lines, false, now);
	else
		withdraw(slot, lines, now);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu_state *c = cpu_state(cpu);
	struct worker_lines *lines;
	u64 now = 0;

	if (c->parked)
		note_parked(c, prev, preempt);
	if (!nr_workers)
		return 0;
	note_idle(cpu, next->pid == 0);
	if (c->waiters.claimant)
		settle_claim(c, next);
	if (c->slot) {
		now = bpf_ktime_get_ns();
		leave(c, prev, preempt || !prev_state, now);
	}
	if (c->waiters.count)
		remove_run(c, prev->pid, next->pid);
	if (next->flags & PF_KTHREAD)
		return 0;
	lines = lines_of(next);
	if (lines)
		enter(c, cpu, next, lines, now ?: bpf_ktime_get_ns());
	return 0;
}

static __always_inline void wakes(struct task_struct *p)
{
	struct cpu_state *c;
	struct worker_lines *lines;
	u32 cpu;

	if (!nr_workers || compat_on_cpu(p) || p->policy == SCHED_POLICY_IDLE)
		return;
	cpu = p->thread_info.cpu;
	c = cpu_state(cpu);
	lines = lines_of(p);
	if (lines)
		worker_of(lines->slot)->wait_start_ns = bpf_ktime_get_ns();
	if (cpu_is_idle(cpu)) {
		note_idle(cpu, false);
		c->waiters.claimant = p->pid;
		return;
	}
	if (has_idle_cpu(p))
		return;
	add_waiting(c, p->pid, runnable_beside(p));
	if (c->slot)
		waiters_changed(c, bpf_ktime_get_ns());
	else if (cpu == bpf_get_smp_processor_id())
		adopt(c, cpu, bpf_get_current_task_btf());
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *p)
{
	wakes(p);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *p)
{
	wakes(p);
	return 0;
}

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *p, int dest)
{
	struct cpu_state *from, *to = cpu_state(dest);

	if (!nr_workers)
		return 0;
	from = cpu_state(p->thread_info.cpu);
	if (from->waiters.claimant == (u32)p->pid) {
		from->waiters.claimant = 0;
		note_idle(p->thread_info.cpu, true);
	}
	if (!from->waiters.count || !remove_waiting(from, p->pid))
		return 0;
	if (!from->waiters.count)
		waiters_changed(from, bpf_ktime_get_ns());
	/* Our own scheduler moves a thread only in order to run it there now. */
	if (mode == MORPHEUS_ENFORCED || cpu_is_idle(dest))
		return 0;
	add_waiting(to, p->pid, runnable_beside(p));
	waiters_changed(to, bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *p)
{
	struct worker_lines *lines = nr_workers ? lines_of(p) : NULL;
	struct worker_task *ref;
	struct task_struct *old;
	u32 slot;

	if (!lines)
		return 0;
	slot = lines->slot;
	worker_of(slot)->state = MORPHEUS_WORKER_DEAD;
	emit(MORPHEUS_EVENT_EXIT, 0, slot, bpf_ktime_get_ns(), 0);
	ref = bpf_map_lookup_elem(&worker_tasks, &slot);
	old = ref ? bpf_kptr_xchg(&ref->task, NULL) : NULL;
	if (old)
		bpf_task_release(old);
	return 0;
}
