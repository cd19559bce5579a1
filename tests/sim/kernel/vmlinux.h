/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the kernel that the BPF programs can see, for the simulator: the same names and
 * meanings as in a kernel's BTF, the smallest layout that serves. Compiled as C with the programs
 * and as C++ with the simulated machine.
 */
#ifndef MORPHEUS_SIM_VMLINUX_H
#define MORPHEUS_SIM_VMLINUX_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

enum scx_dsq_id_flags {
	SCX_DSQ_FLAG_BUILTIN = 1ull << 63,
	SCX_DSQ_FLAG_LOCAL_ON = 1ull << 62,
	SCX_DSQ_INVALID = SCX_DSQ_FLAG_BUILTIN | 0,
	SCX_DSQ_GLOBAL = SCX_DSQ_FLAG_BUILTIN | 1,
	SCX_DSQ_LOCAL = SCX_DSQ_FLAG_BUILTIN | 2,
	SCX_DSQ_LOCAL_ON = SCX_DSQ_FLAG_BUILTIN | SCX_DSQ_FLAG_LOCAL_ON,
	SCX_DSQ_LOCAL_CPU_MASK = 0xffffffffull,
};
enum scx_enq_flags {
	SCX_ENQ_WAKEUP = 1ull << 0,
	SCX_ENQ_HEAD = 1ull << 4,
	SCX_ENQ_PREEMPT = 1ull << 32,
	SCX_ENQ_LAST = 1ull << 41,
};
enum scx_ops_flags { SCX_OPS_ENQ_LAST = 1 << 1 };
enum scx_kick_flags { SCX_KICK_IDLE = 1, SCX_KICK_PREEMPT = 2, SCX_KICK_WAIT = 4 };
enum scx_wake_flags { SCX_WAKE_SYNC = 16 };
enum scx_ent_flags { SCX_TASK_QUEUED = 1 };
enum scx_exit_kind {
	SCX_EXIT_NONE = 0,
	SCX_EXIT_UNREG = 64,
	SCX_EXIT_UNREG_KERN = 66,
	SCX_EXIT_SYSRQ = 67,
};
enum scx_exit_code { SCX_ECODE_ACT_RESTART = 1ull << 48 };
enum scx_public_consts { SCX_SLICE_DFL = 20000000 };

/* CPUs lo..hi; stands for the kernel's bitmap. */
struct cpumask {
	u32 lo, hi;
};

struct task_group;

struct rq {
	unsigned int nr_running;
};

struct cfs_rq {
	struct rq *rq;
};

struct sched_entity {
	u64 sum_exec_runtime;
	struct cfs_rq *cfs_rq;
};

struct sched_ext_entity {
	u64 slice;
	u64 dsq_vtime;
	u32 weight;
	u32 flags;
};

struct thread_info {
	u32 cpu;
};

typedef struct {
	u32 val;
} kuid_t;
struct cred {
	kuid_t uid, euid, suid;
};
struct hrtimer;
struct kernfs_iattrs;
struct kernfs_node {
	u64 id;
	struct kernfs_iattrs *iattr;
};
struct cgroup;
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	int id;
	struct cgroup_subsys_state *parent;
};
struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct thread_info thread_info;
	s32 pid, tgid;
	const char *comm;
	const struct cred *real_cred;
	struct task_struct *group_leader;
	u32 flags;
	u32 policy;
	int nr_cpus_allowed;
	const struct cpumask *cpus_ptr;
	u8 on_cpu, on_rq;
	unsigned sched_contributes_to_load : 1;
	int static_prio;
	struct task_group *sched_task_group;
	struct sched_entity se;
	struct sched_ext_entity scx;
	struct css_set *cgroups;
	void *owner;    /* the simulator's thread */
	int usage;      /* references that programs hold */
	u8 has_storage; /* task local storage, of the one map there is */
	u64 storage[8];
};

struct bpf_timer {
	u64 opaque[2];
};
struct bpf_iter_num {
	u64 opaque[1];
};
struct bpf_iter_scx_dsq {
	u64 opaque[4];
};
struct scx_exit_info {
	enum scx_exit_kind kind;
	s64 exit_code;
	const char *reason;
	const char *msg;
	const char *dump;
};
struct scx_init_task_args {
	bool fork;
};
struct scx_dump_ctx;

struct sched_ext_ops {
	void *select_cpu, *enqueue, *dequeue, *dispatch, *tick, *runnable, *running, *stopping,
		*quiescent;
	void *yield, *update_idle, *set_weight, *set_cpumask, *init_task, *exit_task, *enable,
		*disable;
	void *cgroup_set_bandwidth;
	void *cpu_online, *cpu_offline, *init, *exit, *dump, *dump_cpu, *dump_task;
	u32 dispatch_max_batch, timeout_ms;
	u64 flags;
	char name[128];
};

#endif
