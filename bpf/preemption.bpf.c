/* SPDX-License-Identifier: GPL-2.0-only */
/* The timers by which threads that woke take a CPU a little later. */
#include "preemption.bpf.h"

/*
 * On the CPU where the thread woke that armed it, which may be another one, and without the runqueue's lock. If the other
 * run is over, so is the matter.
 */
static int on_preempt_timer(void *map, u32 *key, struct preempt_timer *t)
{
	u32 cpu = *key;
	struct cpu_state *c = cpu_state(cpu);

	c->preemption.armed = 0;
	if (c->preemption.run_start_ns == c->run.start_ns &&
	    (scx_bpf_dsq_nr_queued(cpu) > 0 || unbound_wait(cpu)))
		preempt_ordinary(cpu, c->preemption.distance, false);
	return 0;
}

/* Run by the daemon once for each CPU, before the scheduler is attached. */
SEC("syscall")
int prepare_preemption(u32 *cpu)
{
	u32 key = *cpu;
	struct preempt_timer *t = bpf_map_lookup_elem(&preempt_timers, &key);

	if (!t)
		return -ENOENT;
	bpf_timer_init(&t->timer, &preempt_timers, CLOCK_MONOTONIC);
	return bpf_timer_set_callback(&t->timer, on_preempt_timer);
}
