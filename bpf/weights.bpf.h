/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's weight: that of its nice value, as the kernel computes it, times those of its control
 * groups (cpu.weight), which the kernel's own classes use but do not pass on. A group's weight here
 * is that of each of its threads, however many they are: between groups of equally many threads it
 * comes to the same.
 *
 * The kernel weighs a group against its siblings only, so a user may be allowed to divide a part of
 * the machine. Here weights are for the whole machine: one that a user can set may only take away.
 */
#ifndef MORPHEUS_BPF_WEIGHTS_BPF_H
#define MORPHEUS_BPF_WEIGHTS_BPF_H

#include "state.bpf.h"

/* Groups whose weight is not the ordinary one. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_GROUPS);
	__type(key, u64); /* cgroup id */
	__type(value, u32);
} group_weights SEC(".maps");

/* vmlinux.h only declares it. A node that belongs to root need not have one. */
struct kernfs_iattrs {
	kuid_t ia_uid;
} __attribute__((preserve_access_index));

/* Entries of group_weights. The daemon clears both before it attaches the scheduler. */
__u32 nr_weighted;

/* The owner of a group's parent directory sets the group's weight. */
static __always_inline bool is_weighed_by_root(struct cgroup *cgrp)
{
	struct cgroup_subsys_state *parent = cgrp->self.parent;

	return !parent || parent->cgroup->kn->iattr->ia_uid.val == 0;
}

static __always_inline void weigh_group(struct cgroup *cgrp, u32 weight)
{
	u64 id = cgrp->kn->id;

	if (weight > POLICY_WEIGHT_UNIT && !is_weighed_by_root(cgrp))
		weight = POLICY_WEIGHT_UNIT;
	if (weight == POLICY_WEIGHT_UNIT) {
		if (!bpf_map_delete_elem(&group_weights, &id))
			__sync_fetch_and_sub(&nr_weighted, 1);
	} else if (!bpf_map_update_elem(&group_weights, &id, &weight, BPF_NOEXIST)) {
		__sync_fetch_and_add(&nr_weighted, 1);
	} else {
		bpf_map_update_elem(&group_weights, &id, &weight, BPF_ANY);
	}
}

OUT_OF_LINE u32 weight_in_groups(struct task_struct *p)
{
	struct cgroup *cgrp = p->cgroups->dfl_cgrp;
	u32 weight = p->scx.weight;
	int level;

	bpf_for(level, 0, MAX_GROUP_DEPTH) {
		u64 id = cgrp->kn->id;
		u32 *of_group = bpf_map_lookup_elem(&group_weights, &id);

		if (of_group)
			weight = policy_group_weight(weight, *of_group);
		if (!cgrp->self.parent)
			break;
		cgrp = cgrp->self.parent->cgroup;
	}
	return weight;
}

static __always_inline u32 weight_of(struct task_struct *p)
{
	return nr_weighted ? weight_in_groups(p) : p->scx.weight;
}

#endif
