/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The observer half: tracing programs that see who waits and ask the workers in the way. It runs in
 * both modes and changes no scheduling decision: it writes to workers' kernel lines and to its own
 * maps, nothing else.
 *
 * A hint belongs to a waiter. A thread that wakes on a busy CPU is noted there until it runs, there or
 * elsewhere; as long as anybody is noted, every worker that takes the CPU is asked, and when nobody is
 * left what is still open is withdrawn: for the worker that runs, at once; for one that does not, when
 * it next gets a CPU, before it executes anything.
 */
#include "hints.bpf.h"

/* A look-again delay is never shorter: bounds the timer interrupts of a badly chosen tunable. */
#define LOOK_FLOOR_NS 100000ull

/*
 * A waiter is worth as many hints as threads are runnable with it. If that many workers gave way and
 * the kernel picked others each time (it has its own ideas of fairness, and a yield does not reach
 * beyond a cgroup), more of them would help nobody: the waiter is left to the ordinary slices.
 */
OUT_OF_LINE void add_waiting(struct cpu_state *c, u32 pid, u32 runnable)
{
	NO_UNROLL
	for (int i = 0; i < MAX_WAITING; i++) {
		if (__sync_val_compare_and_swap(&c->waiters.pids[i], 0, pid) == 0) {
			c->waiters.hints_left[i] = runnable < 255 ? runnable : 255;
			__sync_fetch_and_add(&c->waiters.count, 1);
			return;
		}
	}
	/* Full: with this many others waiting, hints are open here anyway. */
}

static __always_inline void free_waiting(struct cpu_state *c, int i)
{
	WRITE_ONCE(c->waiters.pids[i], 0);
	__sync_fetch_and_sub(&c->waiters.count, 1);
}

OUT_OF_LINE bool remove_waiting(struct cpu_state *c, u32 pid)
{
	NO_UNROLL
	for (int i = 0; i < MAX_WAITING; i++) {
		if (READ_ONCE(c->waiters.pids[i]) == pid) {
			free_waiting(c, i);
			return true;
		}
	}
	return false;
}

/*
 * Who gets the CPU waits no more. Nor does who had it: some kernels do not report every switch (seen
 * where the one before was the idle thread), and a thread noted for ever would be asked for for ever.
 */
OUT_OF_LINE void remove_run(struct cpu_state *c, u32 prev, u32 next)
{
	NO_UNROLL
	for (int i = 0; i < MAX_WAITING; i++) {
		u32 pid = READ_ONCE(c->waiters.pids[i]);

		if (pid && (pid == next || pid == prev))
			free_waiting(c, i);
	}
}

OUT_OF_LINE void charge_waiting(struct cpu_state *c)
{
	NO_UNROLL
	for (int i = 0; i < MAX_WAITING; i++) {
		if (READ_ONCE(c->waiters.pids[i]) && c->waiters.hints_left[i]-- <= 1)
			free_waiting(c, i);
	}
}

/* The worker that has `c` is looked at, on its own CPU or from another. */
OUT_OF_LINE void look(struct cpu_state *c, u32 slot, struct worker_lines *lines, bool contended,
		      u64 now)
{
	if (look_at(slot, lines, READ_ONCE(c->waiters.count), contended, now) ==
	    MORPHEUS_HINT_PRESSURE)
		charge_waiting(c);
}

/* Is a CPU idle on which `p` may run? Then nobody need make room. */
OUT_OF_LINE bool has_idle_cpu(struct task_struct *p)
{
	int cpu;

	if (p->nr_cpus_allowed == 1)
		return false;
	bpf_for(cpu, 0, nr_cpus) {
		if (cpu_is_idle[cpu & (MORPHEUS_MAX_CPUS - 1)] &&
		    bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			return true;
	}
	return false;
}

/* The worker on `c`, which may be another CPU, is looked at because a waiter came or left. */
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

OUT_OF_LINE void start_timer(struct cpu_state *c, u32 cpu, struct morpheus_worker_record *w,
			     bool looked, u64 now)
{
	struct cpu_timer *t = bpf_map_lookup_elem(&cpu_timers, &cpu);
	u64 delay = policy_next_look(w, &tunables, looked, now, LOOK_FLOOR_NS);

	if (t && !bpf_timer_start(&t->timer, delay, BPF_F_TIMER_CPU_PIN))
		c->timer_armed = 1;
}

/* From now on other CPUs can reach the worker by its slot. */
OUT_OF_LINE void link_task(struct worker_lines *lines, struct task_struct *p)
{
	u32 slot = lines->slot;
	struct worker_task *ref = bpf_map_lookup_elem(&worker_tasks, &slot);
	struct task_struct *task = ref ? bpf_task_acquire(p) : NULL;

	if (!task)
		return;
	task = bpf_kptr_xchg(&ref->task, task);
	if (task)
		bpf_task_release(task);
	lines->linked = 1;
}

/* A worker gets this CPU. */
OUT_OF_LINE void enter(struct cpu_state *c, u32 cpu, struct task_struct *p,
		       struct worker_lines *lines, u64 now)
{
	u32 slot = lines->slot;
	struct morpheus_worker_record *w = worker_of(slot);
	kernel_line_t *line = kernel_line(lines);
	runtime_line_t *runtime = runtime_line(lines);
	bool displaced = c->displaced.resumed == slot && w->wait_start_ns && w->slice_start_ns;
	u64 waited = 0;

	if (!line || !runtime)
		return;
	if (!lines->linked)
		link_task(lines, p);
	w->cpu = cpu;
	w->priority = READ_ONCE(runtime->runtime_priority);
	if (w->priority > MORPHEUS_PRIORITY_MAX)
		w->priority = MORPHEUS_PRIORITY_MAX;
	w->run_start_ns = now;
	/* Who was only displaced goes on with its slice: or else it would never end. */
	w->slice_start_ns = displaced ? w->slice_start_ns + (now - w->wait_start_ns) : now;
	c->displaced.resumed = 0;
	if (w->wait_start_ns && now > w->wait_start_ns) {
		waited = now - w->wait_start_ns;
		w->wait_time_ns += waited;
		line->wait_time_ns = w->wait_time_ns;
		morpheus_count_time(&wait_times[cpu & (MORPHEUS_MAX_CPUS - 1)], waited);
	}
	emit_run(MORPHEUS_EVENT_RUN, 0, runtime, slot, now, waited);
	w->wait_start_ns = 0;
	line->budget_remaining_ns = tunables.slice_ns;
	line->kernel_pressure_level = policy_pressure(runnable_beside(p));
	c->slot = slot;
	if (!c->waiters.count && policy_hint_open(w))
		withdraw(slot, lines, now);
	if (policy_hint_open(w) && !displaced) {
		/* Asked before it lost the CPU, and still wanted: only from now on can it answer. */
		w->hinted_at_ns = now;
		line->hint_deadline_ns = now + tunables.grace_ns;
	} else if (c->waiters.count && !policy_hint_open(w)) {
		look(c, slot, lines, false, now);
	}
	/* A pending timer belongs to an older slice and so fires no later than this one needs it. */
	if (!c->timer_armed)
		start_timer(c, cpu, w, false, now);
}

/* A worker loses this CPU, still runnable or not. */
OUT_OF_LINE void leave(struct cpu_state *c, struct task_struct *p, bool runnable, u64 now)
{
	u32 slot = c->slot;
	struct morpheus_worker_record *w = worker_of(slot);
	struct worker_lines *lines = lines_of(p);
	kernel_line_t *kernel;
	runtime_line_t *runtime;
	u64 ran = 0;

	c->slot = 0;
	if (!lines || lines->slot != slot)
		return; /* forgotten while it ran; the slot may be somebody else's by now */
	kernel = kernel_line(lines);
	runtime = runtime_line(lines);
	if (!kernel || !runtime)
		return;
	if (w->run_start_ns && now > w->run_start_ns)
		ran = now - w->run_start_ns;
	w->cpu_time_ns += ran;
	w->run_start_ns = 0;
	w->wait_start_ns = runnable ? now : 0;
	kernel->cpu_time_ns = w->cpu_time_ns;
	note_answer(slot, runtime, now);
	note_late(slot, kernel, now);
	emit_run(MORPHEUS_EVENT_STOP, runnable ? MORPHEUS_FLAG_RUNNABLE : 0, runtime, slot, now,
		 ran);
}

/*
 * Of several threads that wake while a CPU is idle one gets it. The first is not noted, since mostly it is
 * the only one and runs at once; whoever comes after it is. If another gets the CPU, the first waits.
 */
OUT_OF_LINE void settle_claim(struct cpu_state *c, struct task_struct *next)
{
	u32 pid = c->waiters.claimant;

	c->waiters.claimant = 0;
	if (next->pid && (u32)next->pid != pid)
		add_waiting(c, pid, runnable_beside(next));
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct cpu_state *c = cpu_state(cpu);
	struct worker_lines *lines;
	u64 now = 0;

	if (!nr_workers)
		return 0;
	cpu_is_idle[cpu & (MORPHEUS_MAX_CPUS - 1)] = next->pid == 0;
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

/* A thread that was registered while it ran, by another thread, was never seen to get its CPU. */
static __always_inline void adopt_current(struct cpu_state *c, u32 cpu)
{
	struct task_struct *p = bpf_get_current_task_btf();
	struct worker_lines *lines = lines_of(p);

	if (lines)
		enter(c, cpu, p, lines, bpf_ktime_get_ns());
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
	if (cpu_is_idle[cpu & (MORPHEUS_MAX_CPUS - 1)]) {
		cpu_is_idle[cpu & (MORPHEUS_MAX_CPUS - 1)] = 0;
		c->waiters.claimant = p->pid;
		return;
	}
	if (has_idle_cpu(p))
		return;
	add_waiting(c, p->pid, runnable_beside(p));
	if (!c->slot && cpu == bpf_get_smp_processor_id())
		adopt_current(c, cpu);
	else if (c->slot)
		waiters_changed(c, bpf_ktime_get_ns());
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
		cpu_is_idle[p->thread_info.cpu & (MORPHEUS_MAX_CPUS - 1)] = 1;
	}
	if (!from->waiters.count || !remove_waiting(from, p->pid))
		return 0;
	if (!from->waiters.count)
		waiters_changed(from, bpf_ktime_get_ns());
	/* Our own scheduler moves a thread only in order to run it there now. */
	if (mode == MORPHEUS_ENFORCED || cpu_is_idle[dest & (MORPHEUS_MAX_CPUS - 1)])
		return 0;
	add_waiting(to, p->pid, runnable_beside(p));
	waiters_changed(to, bpf_ktime_get_ns());
	return 0;
}

/* On the worker's own CPU, in its interrupt: the slice is nearly over, or a hint is late. */
static int on_timer(void *map, u32 *key, struct cpu_timer *t)
{
	struct task_struct *p = bpf_get_current_task_btf();
	u32 cpu = *key, slot;
	struct cpu_state *c = cpu_state(cpu);
	struct worker_lines *lines;
	struct morpheus_worker_record *w;
	kernel_line_t *line;
	u64 now = bpf_ktime_get_ns(), ran, slice;

	c->timer_armed = 0;
	slot = c->slot;
	lines = slot ? lines_of(p) : NULL;
	line = lines && lines->slot == slot ? kernel_line(lines) : NULL;
	if (!line)
		return 0;
	w = worker_of(slot);
	ran = now - w->slice_start_ns;
	slice = tunables.slice_ns;
	line->budget_remaining_ns = ran < slice ? slice - ran : 0;
	look(c, slot, lines, runnable_beside(p) > 1, now);
	start_timer(c, cpu, w, true, now);
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

/*
 * Run by the daemon for each CPU before the first worker comes: what was noted while the programs last
 * looked is out of date.
 */
SEC("syscall")
int reset_cpu(u32 *cpu)
{
	u32 key = *cpu;
	struct cpu_timer *t = bpf_map_lookup_elem(&cpu_timers, &key);
	struct cpu_state *c = cpu_state(key);

	if (!t)
		return -ENOENT;
	bpf_timer_init(&t->timer, &cpu_timers,
		       CLOCK_MONOTONIC); /* once; later calls change nothing */
	c->slot = 0;
	c->timer_armed = 0;
	__builtin_memset(&c->waiters, 0, sizeof(c->waiters));
	cpu_is_idle[key & (MORPHEUS_MAX_CPUS - 1)] = 0;
	return bpf_timer_set_callback(&t->timer, on_timer);
}
