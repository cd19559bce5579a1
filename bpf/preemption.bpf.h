/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread that wakes may take the CPU from an ordinary thread that is owed less: at once, or by a
 * timer when that thread has run for the wakeup granularity. RUNNING workers are hinted instead
 * (hints.bpf.h).
 */
#ifndef MORPHEUS_BPF_PREEMPTION_BPF_H
#define MORPHEUS_BPF_PREEMPTION_BPF_H

#include "queues.bpf.h"

struct preempt_timer {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MORPHEUS_MAX_CPUS);
	__type(key, u32);
	__type(value, struct preempt_timer);
} preempt_timers SEC(".maps");

/* Of a thread so far behind that it takes the CPU from every ordinary one. */
#define PREEMPT_ANYWAY (-(POLICY_AHEAD / 2))
/* The same, and the run ends even if no thread waits. */
#define PREEMPT_EVEN_ALONE (PREEMPT_ANYWAY - 1)

/* A woken thread will take the CPU from the present run a little later. */
OUT_OF_LINE void preempt_later(struct cpu_state *c, u32 cpu, u64 woken_distance, u64 delay)
{
	struct preempt_timer *t;

	if (c->preemption.run_start_ns != c->run.start_ns ||
	    policy_vtime_before(woken_distance, c->preemption.distance)) {
		c->preemption.run_start_ns = c->run.start_ns;
		c->preemption.distance = woken_distance;
	}
	/* A pending timer belongs to this run or an older one, so it fires no later. */
	if (c->preemption.armed)
		return;
	t = bpf_map_lookup_elem(&preempt_timers, &cpu);
	if (t && !bpf_timer_start(&t->timer, delay, BPF_F_TIMER_CPU_PIN))
		c->preemption.armed = 1;
}

/*
 * An ordinary thread makes room for one that lags. A waker that is about to sleep, as the writer of
 * a pipe for its reader, makes room by itself: no timer takes the CPU from it.
 */
static __always_inline void preempt_ordinary(s32 cpu, u64 woken_distance, bool in_sync)
{
	struct cpu_state *c = cpu_state(cpu);
	u64 ran, delay;

	if (running_worker(c) || !c->run.start_ns)
		return;
	ran = bpf_ktime_get_ns() - c->run.start_ns;
	delay = policy_wakeup_preempts_in(woken_distance,
					  c->run.distance + policy_vtime_delta(ran, c->run.weight),
					  ran, c->run.weight, &tunables);
	if (!delay)
		scx_bpf_kick_cpu(cpu, SCX_VALUE(scx_kick_flags, SCX_KICK_PREEMPT));
	else if (delay != POLICY_NEVER && !in_sync)
		preempt_later(c, cpu, woken_distance, delay);
}

/*
 * Fires on the CPU that armed it, which may be another one, and without the runqueue's lock: hence
 * no contended(). If the run is over, so is the matter.
 */
static int on_preempt_timer(void *map, u32 *key, struct preempt_timer *t)
{
	u32 cpu = *key;
	struct cpu_state *c = cpu_state(cpu);

	c->preemption.armed = 0;
	if (c->preemption.run_start_ns != c->run.start_ns ||
	    (c->preemption.distance != PREEMPT_EVEN_ALONE &&
	     !(scx_bpf_dsq_nr_queued(cpu) > 0 || unbound_wait(cpu))))
		return 0;
	if ((s64)c->preemption.distance > (s64)PREEMPT_ANYWAY)
		preempt_ordinary(cpu, c->preemption.distance, false);
	else if (!running_worker(c)) /* the granularity is for woken threads */
		scx_bpf_kick_cpu(cpu, SCX_VALUE(scx_kick_flags, SCX_KICK_PREEMPT));
	return 0;
}

#endif
