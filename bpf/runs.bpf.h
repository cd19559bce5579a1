/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker gets a CPU and loses it: what its record and its lines say of that, and when it is
 * looked at in between.
 */
#ifndef MORPHEUS_BPF_RUNS_BPF_H
#define MORPHEUS_BPF_RUNS_BPF_H

#include "hints.bpf.h"
#include "waiters.bpf.h"

/* No look follows the last one sooner: bounds the timer interrupts of a badly chosen tunable. */
#define LOOK_FLOOR_NS 100000ull

/* Looks at the worker that has `c`, on its own CPU or from another. */
OUT_OF_LINE void look(struct cpu_state *c, u32 slot, struct worker_lines *lines, bool contended,
		      u64 now)
{
	if (look_at(slot, lines, READ_ONCE(c->waiters.count), contended, now) ==
	    MORPHEUS_HINT_PRESSURE)
		charge_waiting(c);
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

static __always_inline void begin_run(struct morpheus_worker_record *w, u32 cpu,
				      runtime_line_t *runtime, bool displaced, u64 now)
{
	w->cpu = cpu;
	w->priority = READ_ONCE(runtime->runtime_priority);
	if (w->priority > MORPHEUS_PRIORITY_MAX)
		w->priority = MORPHEUS_PRIORITY_MAX;
	w->run_start_ns = now;
	/* A worker that was only displaced goes on with its slice, which else would never end. */
	w->slice_start_ns = displaced ? w->slice_start_ns + (now - w->wait_start_ns) : now;
}

/* How long the worker waited for the CPU that it has got now. */
static __always_inline u64 end_wait(struct morpheus_worker_record *w, u32 cpu, kernel_line_t *line,
				    u64 now)
{
	u64 waited = w->wait_start_ns && now > w->wait_start_ns ? now - w->wait_start_ns : 0;

	w->wait_start_ns = 0;
	if (!waited)
		return 0;
	w->wait_time_ns += waited;
	line->wait_time_ns = w->wait_time_ns;
	morpheus_count_time(&wait_times[cpu & (MORPHEUS_MAX_CPUS - 1)], waited);
	return waited;
}

/* The hint that the worker brings along, or that awaits it here. */
static __always_inline void settle_hint(struct cpu_state *c, u32 slot, struct worker_lines *lines,
					kernel_line_t *line, bool displaced, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);

	if (!c->waiters.count && policy_hint_open(w))
		withdraw(slot, lines, now);
	if (policy_hint_open(w) && !displaced) {
		/* Hinted before it lost the CPU: only from now on can it acknowledge. */
		w->hinted_at_ns = now;
		line->hint_deadline_ns = now + tunables.grace_ns;
	} else if (c->waiters.count && !policy_hint_open(w)) {
		look(c, slot, lines, false, now);
	}
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
	u64 waited;

	if (!line || !runtime)
		return;
	if (!lines->linked)
		link_task(lines, p);
	begin_run(w, cpu, runtime, displaced, now);
	c->displaced.resumed = 0;
	waited = end_wait(w, cpu, line, now);
	emit_run(MORPHEUS_EVENT_RUN, 0, runtime, slot, now, waited);
	line->budget_remaining_ns = tunables.slice_ns;
	line->kernel_pressure_level = policy_pressure(runnable_beside(p));
	c->slot = slot;
	settle_hint(c, slot, lines, line, displaced, now);
	/* A pending timer belongs to an older slice, so it fires no later than this one needs. */
	if (!c->timer_armed)
		start_timer(c, cpu, w, false, now);
}

/*
 * `p` has the CPU `c`. A worker that was registered while it ran, as a library does for its workers
 * after a new daemon has come, was never seen to get it.
 */
static __always_inline void adopt(struct cpu_state *c, u32 cpu, struct task_struct *p)
{
	struct worker_lines *lines = nr_workers ? lines_of(p) : NULL;

	if (lines && (c->slot != lines->slot || !worker_of(lines->slot)->run_start_ns))
		enter(c, cpu, p, lines, bpf_ktime_get_ns());
}

/*
 * It leaves with a hint open. If it was not asked just now, it had to be removed to make room,
 * unless a higher class merely displaced it.
 */
static __always_inline void note_kept(u32 slot, u64 kept_ns, bool removed, u64 now)
{
	kept_ns = policy_kept_too_long(kept_ns, &tunables);
	worker_of(slot)->kept_ns += kept_ns;
	if (removed && kept_ns)
		blame(slot, MORPHEUS_BLAME_REMOVED, now);
}

/* A worker loses this CPU, still runnable or not. */
OUT_OF_LINE void leave(struct cpu_state *c, struct task_struct *p, bool runnable, u64 now)
{
	u32 slot = c->slot;
	struct morpheus_worker_record *w = worker_of(slot);
	struct worker_lines *lines = lines_of(p);
	kernel_line_t *kernel;
	runtime_line_t *runtime;
	u64 ran = 0, start = w->run_start_ns;

	c->slot = 0;
	if (!lines || lines->slot != slot)
		return; /* unregistered while it ran; the slot may be another worker's by now */
	kernel = kernel_line(lines);
	runtime = runtime_line(lines);
	if (!kernel || !runtime)
		return;
	if (start && now > start)
		ran = now - start;
	w->cpu_time_ns += ran;
	w->run_start_ns = 0;
	w->wait_start_ns = runnable ? now : 0;
	kernel->cpu_time_ns = w->cpu_time_ns;
	note_acknowledgement(slot, runtime, now);
	note_late(slot, kernel, now);
	if (policy_hint_open(w))
		note_kept(slot, policy_kept_waiting(w, start, now),
			  runnable && !(mode == MORPHEUS_ENFORCED && c->displaced.slot == slot),
			  now);
	emit_run(MORPHEUS_EVENT_STOP, runnable ? MORPHEUS_FLAG_RUNNABLE : 0, runtime, slot, now,
		 ran);
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

#endif
