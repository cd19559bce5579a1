/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's weight: that of its nice value, divided by what its control group has to share out, at
 * each level of the hierarchy. So a group gets what its cpu.weight is worth among its siblings,
 * however many threads it has, and a user who may divide his own group takes nothing from others.
 * The groups are those of the kernel's own classes (struct task_group), with their weights
 * (cpu.weight and cpu.idle), and so are the automatic ones of sessions (CONFIG_SCHED_AUTOGROUP).
 *
 * For each group the weights of its runnable threads and groups are summed up here, over all CPUs,
 * as threads wake and sleep. The root needs no sum: it would be a factor of all weights.
 */
#ifndef MORPHEUS_BPF_WEIGHTS_BPF_H
#define MORPHEUS_BPF_WEIGHTS_BPF_H

#include "state.bpf.h"

/* Identifiers of the CPU controller's groups are dense; sessions are numbered in turn. */
#define MAX_WEIGHED_GROUPS 12288
#define MAX_WEIGHED_SESSIONS 4096

struct group_load {
	struct bpf_spin_lock lock;
	s32 runnable;  /* threads, and groups with any */
	u64 weight;    /* of these */
	u64 in_parent; /* what the group adds to its parent's; 0: nothing in it is runnable */
} __attribute__((aligned(CACHE_LINE)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_WEIGHED_GROUPS + MAX_WEIGHED_SESSIONS);
	__type(key, u32);
	__type(value, struct group_load);
} group_loads SEC(".maps");

/* vmlinux.h only declares these. */
struct autogroup {
	unsigned long id;
} __attribute__((preserve_access_index));

struct task_group {
	struct cgroup_subsys_state css;
	unsigned long shares;
	struct task_group *parent;
	struct autogroup *autogroup;
} __attribute__((preserve_access_index));

/*
 * NULL where there is no room: then the group's threads count as its parent's. Two sessions share
 * an entry if thousands began between them, and then half a share each.
 */
static __always_inline struct group_load *load_of(struct task_group *tg)
{
	u32 id = tg->css.id;

	if (bpf_core_field_exists(tg->autogroup) && tg->autogroup)
		id = MAX_WEIGHED_GROUPS + (u32)tg->autogroup->id % MAX_WEIGHED_SESSIONS;
	else if (id >= MAX_WEIGHED_GROUPS)
		return NULL;
	return bpf_map_lookup_elem(&group_loads, &id);
}

/* The kernel's shares are of 1024 for weight 100, and once more times 1024. */
static __always_inline u32 weight_of_group(struct task_group *tg)
{
	u64 shares = bpf_core_field_exists(tg->shares) ? tg->shares : POLICY_WEIGHT_UNIT;

	return shares < POLICY_MOST_WEIGHT ? shares : POLICY_MOST_WEIGHT;
}

static __always_inline u32 own_weight(struct task_struct *p)
{
	return policy_thread_weight(p->static_prio, p->policy == SCHED_POLICY_IDLE);
}

/*
 * `runnable` more threads or groups (-1: one less) of weight `weight` in `tg`, or none: then only a
 * new weight of the group is passed on. Goes up as far as something changes.
 */
OUT_OF_LINE void add_to_groups(struct task_group *tg, s32 runnable, s64 weight)
{
	int level;

	bpf_for(level, 0, MAX_GROUP_DEPTH) {
		struct group_load *g;
		u64 of_group, before, after;

		if (!tg || !tg->parent)
			return;
		g = load_of(tg);
		of_group = weight_of_group(tg);
		tg = tg->parent;
		if (!g)
			continue;
		bpf_spin_lock(&g->lock);
		g->runnable += runnable;
		g->weight += weight;
		before = g->in_parent;
		after = g->runnable > 0 ? of_group : 0;
		g->in_parent = after;
		bpf_spin_unlock(&g->lock);
		if (before == after)
			return;
		runnable = !before - !after;
		weight = after - before;
	}
}

/* `p` becomes runnable (1), or ceases to be (-1): in the group and with the nice value it has. */
static __always_inline void count_in_groups(struct task_struct *p, s32 runnable)
{
	struct task_group *tg = read_only(p)->sched_task_group;

	if (tg && tg->parent)
		add_to_groups(tg, runnable, runnable * (s64)own_weight(p));
}

OUT_OF_LINE u32 weight_in_groups(struct task_group *tg, u32 weight)
{
	int level;

	bpf_for(level, 0, MAX_GROUP_DEPTH) {
		struct group_load *g;
		u32 of_group;

		if (!tg || !tg->parent)
			return weight;
		g = load_of(tg);
		of_group = weight_of_group(tg);
		if (g) {
			u64 known = READ_ONCE(g->in_parent);

			if (known && known != of_group) /* it has been changed */
				add_to_groups(tg, 0, 0);
			weight = policy_weight_in_group(weight, of_group, READ_ONCE(g->weight));
		}
		tg = tg->parent;
	}
	return 1; /* going deeper gains nothing */
}

static __always_inline u32 weight_of(struct task_struct *p)
{
	struct task_group *tg = read_only(p)->sched_task_group;
	u32 weight = own_weight(p);

	return tg && tg->parent ? weight_in_groups(tg, weight) : weight;
}

/* Before the first thread comes: none is runnable here. */
static __always_inline void forget_groups(void)
{
	u32 id;

	bpf_for(id, 0, MAX_WEIGHED_GROUPS + MAX_WEIGHED_SESSIONS) {
		u32 key = id;
		struct group_load *g = bpf_map_lookup_elem(&group_loads, &key);

		if (!g)
			continue;
		bpf_spin_lock(&g->lock);
		g->runnable = 0;
		g->weight = 0;
		g->in_parent = 0;
		bpf_spin_unlock(&g->lock);
	}
}

#endif
