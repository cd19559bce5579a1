/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs around the bounds of control groups: the daemon tells them, a timer lets parked threads go.
 */
#include "bandwidth.bpf.h"
#include "queues.bpf.h"

/*
 * Run by the daemon for each group with a bound or that may be throttled, and for each that is known here
 * and no longer is so. Returns 1 while the group has a penalty to serve.
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
	tell_end(g, now);
	return err ?: now < g->penalty_until_ns;
}

/* Run by the daemon for each group once no scheduler is attached, which could make it serve a penalty. */
SEC("syscall")
int end_penalty(u64 *cgroup_id)
{
	u64 id = *cgroup_id, now = bpf_ktime_get_ns();
	struct group *g = bpf_map_lookup_elem(&groups, &id);

	if (!g)
		return 0;
	if (now < g->penalty_until_ns)
		g->penalty_until_ns = now;
	tell_end(g, now);
	return 0;
}

/* Lets one parked thread go to the queue where it belongs, and an idle CPU take it. */
static __always_inline void unpark(struct bpf_iter_scx_dsq *it, struct task_struct *p)
{
	s32 cpu;

	if (!compat_move_vtime(it, p, dsq_of(p)))
		return;
	note_queued(p);
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0)
		scx_bpf_kick_cpu(cpu, SCX_VALUE(scx_kick_flags, SCX_KICK_IDLE));
}

static int on_parking_timer(void *map, u32 *key, struct parking_timer *t)
{
	u64 now = bpf_ktime_get_ns();
	bool amnesty = now - amnesty_ns > PARKING_AMNESTY_NS;
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;

	if (amnesty)
		amnesty_ns = now;
	bpf_rcu_read_lock(); /* 6.12 takes a timer for sleepable that a sleepable program prepared */
	if (!bpf_iter_scx_dsq_new(&it, PARKING_DSQ, 0)) {
		while ((p = bpf_iter_scx_dsq_next(&it))) {
			if (amnesty || !charge_groups(p, 0, now))
				unpark(&it, p);
		}
	}
	bpf_iter_scx_dsq_destroy(&it);
	bpf_rcu_read_unlock();
	/* Whoever parks from here on arms it; whoever did so before is seen. */
	WRITE_ONCE(parking_armed, 0);
	if (scx_bpf_dsq_nr_queued(PARKING_DSQ) > 0 &&
	    __sync_val_compare_and_swap(&parking_armed, 0, 1) == 0)
		bpf_timer_start(&t->timer, PARKING_LOOK_NS, 0);
	return 0;
}

/* Run by the daemon once, before the scheduler is attached. */
SEC("syscall")
int prepare_parking(void *ctx)
{
	u32 key = 0;
	struct parking_timer *t = bpf_map_lookup_elem(&parking_timers, &key);

	if (!t)
		return -ENOENT;
	parking_armed = 0;
	bpf_timer_init(&t->timer, &parking_timers,
		       CLOCK_MONOTONIC); /* once; later calls change nothing */
	return bpf_timer_set_callback(&t->timer, on_parking_timer);
}
