/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bounds on the CPU time of control groups. The kernel's own cpu.max does nothing to threads that a
 * sched_ext scheduler runs, so this one enforces it. A group has up to two bounds: the operator's,
 * which the kernel reports from 6.17 on (cgroup_set_bandwidth) and the daemon in any case, and a
 * penalty for a while, when a worker in it consented to CGROUP_THROTTLE and ignored a hint. Both
 * are in maps of this object only: when the daemon ends, so does every bound, and nothing must be
 * put back.
 *
 * Threads of a group that has used up its time wait in a queue of their own, the parking. A timer
 * takes them out when there is time again.
 *
 * A thread in the kernel may hold a lock that all the host waits for, and must not be kept there.
 * As in the kernel's own class from 6.18 on, only threads on their way to user space are. What
 * tells them apart: a thread that slept uninterruptibly is in the kernel, and so is one in a
 * system call. So is one that was preempted, for on the way to user space the kernel calls
 * schedule() by itself, which sched_switch reports as no preemption.
 */
#ifndef MORPHEUS_BPF_BANDWIDTH_BPF_H
#define MORPHEUS_BPF_BANDWIDTH_BPF_H

#include "queues.bpf.h"
#include "weights.bpf.h"

#define PARKING_DSQ (1ull << 33)
#define PARKING_LOOK_NS 2000000ull
/*
 * How long a thread keeps a CPU that it gets although its group is out of time: with no reason to
 * believe that it is in the kernel, and with one.
 */
#define PASSES_BY_NS 10000ull
#define LEAVES_KERNEL_NS 500000ull
#define MOST_IN_KERNEL 1024

struct group {
	struct policy_bandwidth operators;
	struct policy_bandwidth penalty;
	u64 penalty_from_ns;
	u64 penalty_until_ns;
	u32 may_be_throttled; /* it and all below it: the operator allows it */
	u32 offender; /* slot of the worker that last ignored a hint; 0: the end is reported */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_GROUPS);
	__type(key, u64); /* cgroup id */
	__type(value, struct group);
} groups SEC(".maps");

/* Threads that were parked while they were in the kernel: see note_parked(). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MOST_IN_KERNEL);
	__type(key, u32); /* tid */
	__type(value, u8);
} in_kernel SEC(".maps");

struct parking_timer {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct parking_timer);
} parking_timers SEC(".maps");

/* Shared with the daemon. */
struct morpheus_penalty penalty;
__u32 nr_bounded;         /* groups with a bound of the operator's */
__u64 penalties_until_ns; /* when the last penalty ends; the daemon sets it to 0 afterwards */

static u32 parking_armed;
/* How often a thread was parked, and how often when the timer last fired. */
static u32 parkings, parkings_seen;
static u64 parking_round_ns;   /* when it began: see policy_turns_due() */
static u32 waited_for_a_round; /* threads that were parked then */
static u32 served_this_round;

/* Most hosts have no bound at all: then this file costs them one test. */
static __always_inline bool any_bound(void)
{
	return nr_bounded || penalties_until_ns;
}

static __always_inline struct group *group_or_new(u64 id)
{
	struct group *g = bpf_map_lookup_elem(&groups, &id);
	struct group empty = {};

	if (g)
		return g;
	bpf_map_update_elem(&groups, &id, &empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&groups, &id);
}

/* Takes `ran` from what is left of a bound. True: nothing is left. */
static __always_inline bool charge(struct policy_bandwidth *b, u64 ran, u64 now)
{
	u64 refilled = READ_ONCE(b->refilled_ns);
	u64 next = policy_next_refill(b, refilled, now);

	if (!b->quota_ns)
		return false;
	if (next != refilled &&
	    __sync_val_compare_and_swap(&b->refilled_ns, refilled, next) == refilled)
		__sync_fetch_and_add(&b->left_ns, policy_refill(b, next - refilled));
	if (ran)
		__sync_fetch_and_sub(&b->left_ns, ran);
	return (s64)READ_ONCE(b->left_ns) <= 0;
}

/* The first look after a penalty reports that it is over, and since when. */
OUT_OF_LINE void report_end(struct group *g, u64 now)
{
	u32 offender = READ_ONCE(g->offender);
	u64 until = g->penalty_until_ns;

	if (offender && now >= until &&
	    __sync_val_compare_and_swap(&g->offender, offender, 0) == offender)
		emit(MORPHEUS_EVENT_UNTHROTTLED, 0, offender, until, until - g->penalty_from_ns);
}

/* The same for all groups of `p`, up to the root. True: at least one has nothing left. */
OUT_OF_LINE bool charge_groups(struct task_struct *p, u64 ran, u64 now)
{
	struct cgroup *cgrp = read_only(p)->cgroups->dfl_cgrp;
	bool over = false;
	int level;

	bpf_for(level, 0, MAX_GROUP_DEPTH) {
		u64 id = cgrp->kn->id;
		struct group *g = bpf_map_lookup_elem(&groups, &id);

		if (g) {
			over |= charge(&g->operators, ran, now);
			if (now < g->penalty_until_ns)
				over |= charge(&g->penalty, ran, now);
			else
				report_end(g, now);
		}
		if (!cgrp->self.parent)
			break;
		cgrp = cgrp->self.parent->cgroup;
	}
	return over;
}

/* Charges the groups of `p`, which has the CPU `c`, for what it ran since the last charge. */
static __always_inline bool charge_running(struct cpu_state *c, struct task_struct *p)
{
	u64 ran = p->se.sum_exec_runtime - c->run.groups_exec_ns;

	c->run.groups_exec_ns = p->se.sum_exec_runtime;
	return any_bound() && charge_groups(p, ran, bpf_ktime_get_ns());
}

static __always_inline bool is_out_of_time(struct task_struct *p)
{
	return any_bound() && charge_groups(p, 0, bpf_ktime_get_ns());
}

static __always_inline bool is_in_kernel(struct task_struct *p)
{
	u32 pid = p->pid;

	return bpf_map_lookup_elem(&in_kernel, &pid);
}

/* Did it sleep uninterruptibly, as for a lock? The kernel counts such threads as load. */
static __always_inline bool slept_in_kernel(struct task_struct *woken)
{
	return BPF_CORE_READ_BITFIELD(woken, sched_contributes_to_load);
}

static __always_inline void park(struct task_struct *p, u64 enq_flags)
{
	u32 key = 0, pid = p->pid;
	struct parking_timer *t = bpf_map_lookup_elem(&parking_timers, &key);

	bpf_map_delete_elem(&in_kernel, &pid);
	cpu_state(scx_bpf_task_cpu(p))->parked = pid;
	__sync_fetch_and_add(&parkings, 1);
	compat_insert(p, PARKING_DSQ, tunables.slice_ns, enq_flags);
	if (t && __sync_val_compare_and_swap(&parking_armed, 0, 1) == 0)
		bpf_timer_start(&t->timer, PARKING_LOOK_NS, 0);
}

/* `p`, which was parked just now, has lost the CPU. */
OUT_OF_LINE void note_parked(struct cpu_state *c, struct task_struct *p, bool preempt)
{
	u32 key = 0, pid = p->pid, parked = c->parked;
	struct parking_timer *t = bpf_map_lookup_elem(&parking_timers, &key);
	u8 yes = 1;

	c->parked = 0;
	if (parked != pid || !t || (!preempt && compat_was_interrupted(p)))
		return;
	bpf_map_update_elem(&in_kernel, &pid, &yes, BPF_ANY);
	bpf_timer_start(&t->timer, 0, 0);
}

/* Throttles the group of `p`, a worker. False: the operator does not allow it. */
OUT_OF_LINE bool throttle_group(struct task_struct *p, u32 slot, u64 now)
{
	struct cgroup *cgrp = read_only(p)->cgroups->dfl_cgrp, *at = cgrp;
	u64 own = cgrp->kn->id;
	bool is_allowed = false;
	struct group *g;
	int level;

	bpf_for(level, 0, MAX_GROUP_DEPTH) {
		u64 id = at->kn->id;

		g = bpf_map_lookup_elem(&groups, &id);
		if (g && g->may_be_throttled) {
			is_allowed = true;
			break;
		}
		if (!at->self.parent)
			break;
		at = at->self.parent->cgroup;
	}
	g = is_allowed ? group_or_new(own) : NULL;
	if (!g)
		return false;
	if (now >= g->penalty_until_ns) {
		report_end(g, now);
		g->penalty_from_ns = now;
		g->penalty.period_ns = penalty.period_ns;
		g->penalty.left_ns = 0;
		g->penalty.refilled_ns = now;
		g->penalty.quota_ns = penalty.quota_ns;
	}
	g->penalty_until_ns = now + penalty.time_ns;
	penalties_until_ns = now + penalty.time_ns;
	g->offender = slot;
	emit(MORPHEUS_EVENT_THROTTLED, 0, slot, now, penalty.time_ns);
	return true;
}

static __always_inline int bound_group(u64 id, u64 quota_ns, u64 period_ns)
{
	struct group *g = group_or_new(id);
	u64 before;

	if (!g)
		return -ENOMEM;
	before = g->operators.quota_ns;
	if (before == quota_ns && g->operators.period_ns == period_ns)
		return 0;
	g->operators.quota_ns = 0; /* no charge to a half-changed bound */
	g->operators.period_ns = period_ns;
	g->operators.left_ns = quota_ns;
	g->operators.refilled_ns = bpf_ktime_get_ns();
	g->operators.quota_ns = quota_ns;
	if (!before && quota_ns)
		__sync_fetch_and_add(&nr_bounded, 1);
	if (before && !quota_ns)
		__sync_fetch_and_sub(&nr_bounded, 1);
	return 0;
}

/*
 * Lets one parked thread go to the queue where it belongs, and an idle CPU take it. It is not owed
 * the time that it was parked for: it comes a slice behind, or a crowd of such threads would pass
 * every other thread by.
 */
OUT_OF_LINE void unpark(struct bpf_iter_scx_dsq *it, struct task_struct *p, bool behind)
{
	u64 clock = clock_of(p)->now, vtime = policy_vtime_of(p->scx.dsq_vtime, clock);
	u64 earliest =
		clock + policy_vtime_delta(policy_slice_beside(runnable_beside(p), &tunables),
					   weight_of(p));

	if (behind && policy_vtime_before(vtime, earliest))
		vtime = earliest;
	if (!compat_move_vtime(it, p, dsq_of(p), vtime))
		return;
	note_queued(p);
	wake_idle_cpu(p);
}

static __always_inline s64 turns_due(u64 now)
{
	u64 passed = now - parking_round_ns;
	s64 due = policy_turns_due(waited_for_a_round, served_this_round, passed);

	if (passed >= POLICY_PARKING_ROUND_NS) {
		parking_round_ns = now;
		waited_for_a_round = scx_bpf_dsq_nr_queued(PARKING_DSQ);
		served_this_round = 0;
	}
	return due;
}

/*
 * Lets threads go whose groups have time again, those first that were parked first. No more at once
 * than there are CPUs: otherwise a crowd of them would stand in the way of all others, and overdraw
 * its bound by a tick for each. Those whose turn is due go without time, for PASSES_BY_NS.
 */
static int on_parking_timer(void *map, u32 *key, struct parking_timer *t)
{
	u64 now = bpf_ktime_get_ns();
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;
	s32 places = nr_cpus;
	s64 due = turns_due(now);

	/* 6.12 takes a timer that a sleepable program prepared for sleepable itself. */
	bpf_rcu_read_lock();
	if (!bpf_iter_scx_dsq_new(&it, PARKING_DSQ, 0)) {
		while ((p = bpf_iter_scx_dsq_next(&it))) {
			if (is_in_kernel(p)) {
				unpark(&it, p, false);
				continue;
			}
			if (places > 0 && !charge_groups(p, 0, now))
				places--;
			else if (due <= 0)
				continue;
			unpark(&it, p, true);
			served_this_round++;
			due--;
		}
	}
	bpf_iter_scx_dsq_destroy(&it);
	bpf_rcu_read_unlock();
	/*
	 * A thread that is parked from here on arms the timer. One that was parked a moment ago
	 * may not be in the queue yet: the kernel puts it there when enqueue has returned.
	 */
	__sync_lock_test_and_set(&parking_armed, 0); /* a full barrier */
	if ((scx_bpf_dsq_nr_queued(PARKING_DSQ) > 0 || READ_ONCE(parkings) != parkings_seen) &&
	    __sync_val_compare_and_swap(&parking_armed, 0, 1) == 0) {
		parkings_seen = READ_ONCE(parkings);
		bpf_timer_start(&t->timer, PARKING_LOOK_NS, 0);
	}
	return 0;
}

#endif
