/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs that the daemon itself runs: they prepare what only a program can prepare, and
 * change what only a program can change.
 */
#include "bandwidth.bpf.h"
#include "preemption.bpf.h"
#include "runs.bpf.h"

/*
 * Run for each CPU before the first worker is registered: what was noted while the programs last
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
	/* Once: later calls change nothing. */
	bpf_timer_init(&t->timer, &cpu_timers, CLOCK_MONOTONIC);
	c->slot = 0;
	c->timer_armed = 0;
	__builtin_memset(&c->waiters, 0, sizeof(c->waiters));
	note_idle(key, false);
	return bpf_timer_set_callback(&t->timer, on_timer);
}

/* Run for each CPU before the scheduler is attached. */
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

/* Run once, before the scheduler is attached. */
SEC("syscall")
int prepare_parking(void *ctx)
{
	u32 key = 0;
	struct parking_timer *t = bpf_map_lookup_elem(&parking_timers, &key);

	if (!t)
		return -ENOENT;
	parking_armed = 0;
	/* Once: later calls change nothing. */
	bpf_timer_init(&t->timer, &parking_timers, CLOCK_MONOTONIC);
	return bpf_timer_set_callback(&t->timer, on_parking_timer);
}

/*
 * Run for each control group that has a bound or may be throttled, and for each that is still known
 * here but no longer either. Returns 1 while the group has a penalty to serve.
 */
SEC("syscall")
int set_group(struct morpheus_group_update *update)
{
	u64 id = update->cgroup_id;
	u32 may_be_throttled = update->may_be_throttled;
	u64 quota_ns = update->quota_ns, period_ns = update->period_ns, now;
	struct group *g = bpf_map_lookup_elem(&groups, &id);
	int err = g && update->only_if_new ? 0 : bound_group(id, quota_ns, period_ns);

	g = bpf_map_lookup_elem(&groups, &id);
	if (!g)
		return err;
	g->may_be_throttled = may_be_throttled;
	now = bpf_ktime_get_ns();
	report_end(g, now);
	return err ?: now < g->penalty_until_ns;
}

/* Run for each group once no scheduler is attached, which could make it serve a penalty. */
SEC("syscall")
int end_penalty(u64 *cgroup_id)
{
	u64 id = *cgroup_id, now = bpf_ktime_get_ns();
	struct group *g = bpf_map_lookup_elem(&groups, &id);

	if (!g)
		return 0;
	if (now < g->penalty_until_ns)
		g->penalty_until_ns = now;
	report_end(g, now);
	return 0;
}

/*
 * Linux 6.12 only: a client's kernel lines are in a frozen map there, which not even the daemon can
 * map for writing. Elsewhere it writes these values into its own mapping.
 */
SEC("syscall")
int store_kernel_line(struct morpheus_line_update *update)
{
	u32 slot = update->slot, line = update->line;
	struct kernel_line_map *map = bpf_map_lookup_elem(&kernel_line_maps, &slot);
	kernel_line_t *at = map ? bpf_map_lookup_elem(map, &line) : NULL;

	if (!at)
		return -ENOENT;
	if (update->is_new) {
		__builtin_memset(at, 0, sizeof(*at));
		at->preempt_seq = update->first_seq;
		at->withdrawn_seq = update->first_seq;
	}
	at->worker_state = update->state;
	return 0;
}
