/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which kernel types the BPF programs use. `./dev vmlinux` compiles this against the whole BTF of a
 * kernel; what the compiler keeps of it is the small vmlinux.btf beside this file, from which every
 * build makes its vmlinux.h. So the same object is built on any machine, with or without sched_ext.
 */
#include "vmlinux.h"

struct task_struct root_task;
struct cfs_rq root_cfs_rq;
struct rq root_rq;
struct css_set root_css_set;
struct cgroup root_cgroup;
struct kernfs_node root_kernfs_node;
struct sched_ext_ops root_ops;
struct scx_exit_info root_exit_info;
struct scx_init_task_args root_init_task_args;
struct scx_cgroup_init_args root_cgroup_init_args;
struct bpf_iter_scx_dsq root_iter_scx_dsq;
struct bpf_iter_num root_iter_num;
struct bpf_timer root_timer;
enum scx_public_consts root_public_consts;
enum scx_dsq_id_flags root_dsq_id_flags;
enum scx_enq_flags root_enq_flags;
enum scx_kick_flags root_kick_flags;
enum scx_wake_flags root_wake_flags;
enum scx_ops_flags root_ops_flags;
enum scx_ent_flags root_ent_flags;
enum scx_exit_kind root_exit_kind;
enum scx_exit_code root_exit_code;
enum bpf_map_type root_map_type;
enum bpf_cmd root_cmd;

/* libbpf's helper declarations name these. */
__be16 root_be16;
__be32 root_be32;
__wsum root_wsum;
