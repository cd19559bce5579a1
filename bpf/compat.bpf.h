/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels, and the declarations that vmlinux.h lacks. Every sched_ext kfunc is
 * weak: a single strong one would keep the whole object from loading on a kernel without sched_ext,
 * and the observer half must load there.
 */
#ifndef MORPHEUS_BPF_COMPAT_BPF_H
#define MORPHEUS_BPF_COMPAT_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Macros and anonymous enums of the kernel, which the small BTF does not keep. */
#define ENOENT 2
#define ENOMEM 12
#define NUMA_NO_NODE (-1)
#define BPF_F_NO_PREALLOC (1U << 0)
#define BPF_ANY 0
#define BPF_NOEXIST 1
#define BPF_RB_NO_WAKEUP (1ULL << 0)
#define BPF_RB_FORCE_WAKEUP (1ULL << 1)
#define BPF_F_TIMER_CPU_PIN (1ULL << 1)
#define BPF_F_MMAPABLE (1U << 10)
#define BPF_F_INNER_MAP (1U << 12)
#define BPF_RB_AVAIL_DATA 0
#define CLOCK_MONOTONIC 1
struct bpf_spin_lock {
	__u32 val;
};
enum scx_dsq_iter_flags { SCX_DSQ_ITER_REV = 1u << 16 };
#define PF_KTHREAD 0x00200000
#define SCHED_POLICY_IDLE 5 /* SCHED_IDLE: such a thread wants only time that is left over */

/* libbpf before 1.5 does not define these. */
#ifndef __uptr
#define __uptr __attribute__((btf_type_tag("uptr")))
#endif

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask *cpumask) __ksym;
extern u32 bpf_cpumask_first(const struct cpumask *cpumask) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

extern s32 scx_bpf_create_dsq(u64 dsq_id, s32 node) __ksym __weak;
extern s32 scx_bpf_select_cpu_dfl(struct task_struct *p, s32 prev_cpu, u64 wake_flags,
				  bool *is_idle) __ksym __weak;
extern s32 scx_bpf_dsq_nr_queued(u64 dsq_id) __ksym __weak;
extern s32 scx_bpf_task_cpu(const struct task_struct *p) __ksym __weak;
extern s32 scx_bpf_pick_idle_cpu(const struct cpumask *allowed, u64 flags) __ksym __weak;
extern void scx_bpf_kick_cpu(s32 cpu, u64 flags) __ksym __weak;
extern void scx_bpf_dump_bstr(char *format, unsigned long long *values, u32 size) __ksym __weak;
extern int bpf_iter_scx_dsq_new(struct bpf_iter_scx_dsq *it, u64 dsq_id, u64 flags) __ksym __weak;
extern struct task_struct *bpf_iter_scx_dsq_next(struct bpf_iter_scx_dsq *it) __ksym __weak;
extern void bpf_iter_scx_dsq_destroy(struct bpf_iter_scx_dsq *it) __ksym __weak;
extern struct task_struct *scx_bpf_dsq_peek(u64 dsq_id) __ksym __weak;

/* 6.13 renamed dispatch and consume; 6.12 has the old names only, 6.17 dropped them. */
extern void scx_bpf_dsq_insert(struct task_struct *p, u64 dsq_id, u64 slice,
			       u64 enq_flags) __ksym __weak;
extern void scx_bpf_dsq_insert_vtime(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime,
				     u64 enq_flags) __ksym __weak;
extern bool scx_bpf_dsq_move_to_local(u64 dsq_id) __ksym __weak;
extern void scx_bpf_dispatch(struct task_struct *p, u64 dsq_id, u64 slice,
			     u64 enq_flags) __ksym __weak;
extern void scx_bpf_dispatch_vtime(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime,
				   u64 enq_flags) __ksym __weak;
extern bool scx_bpf_consume(u64 dsq_id) __ksym __weak;
extern void scx_bpf_dsq_move_set_vtime(struct bpf_iter_scx_dsq *it, u64 vtime) __ksym __weak;
extern void scx_bpf_dispatch_from_dsq_set_vtime(struct bpf_iter_scx_dsq *it,
						u64 vtime) __ksym __weak;
extern bool scx_bpf_dsq_move_vtime(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id,
				   u64 enq_flags) __ksym __weak;
extern bool scx_bpf_dispatch_vtime_from_dsq(struct bpf_iter_scx_dsq *it, struct task_struct *p,
					    u64 dsq_id, u64 enq_flags) __ksym __weak;

static __always_inline void compat_insert(struct task_struct *p, u64 dsq, u64 slice, u64 flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert))
		scx_bpf_dsq_insert(p, dsq, slice, flags);
	else
		scx_bpf_dispatch(p, dsq, slice, flags);
}

static __always_inline void compat_insert_vtime(struct task_struct *p, u64 dsq, u64 slice,
						u64 vtime, u64 flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert_vtime))
		scx_bpf_dsq_insert_vtime(p, dsq, slice, vtime, flags);
	else
		scx_bpf_dispatch_vtime(p, dsq, slice, vtime, flags);
}

static __always_inline bool compat_move_to_local(u64 dsq)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local))
		return scx_bpf_dsq_move_to_local(dsq);
	return scx_bpf_consume(dsq);
}

static __always_inline bool compat_move_vtime(struct bpf_iter_scx_dsq *it, struct task_struct *p,
					      u64 dsq, u64 vtime)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_vtime)) {
		scx_bpf_dsq_move_set_vtime(it, vtime);
		return scx_bpf_dsq_move_vtime(it, p, dsq, 0);
	}
	scx_bpf_dispatch_from_dsq_set_vtime(it, vtime);
	return scx_bpf_dispatch_vtime_from_dsq(it, p, dsq, 0);
}

/* The virtual time of the first thread that waits in `dsq`; false if no thread does. */
static __always_inline bool compat_first_vtime(u64 dsq, u64 *vtime)
{
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;

	if (bpf_ksym_exists(scx_bpf_dsq_peek)) { /* from 6.19 on; takes no lock */
		p = scx_bpf_dsq_peek(dsq);
		if (p)
			*vtime = p->scx.dsq_vtime;
		return p;
	}
	if (bpf_iter_scx_dsq_new(&it, dsq, 0)) {
		bpf_iter_scx_dsq_destroy(&it);
		return 0;
	}
	p = bpf_iter_scx_dsq_next(&it);
	if (p)
		*vtime = p->scx.dsq_vtime;
	bpf_iter_scx_dsq_destroy(&it);
	return p;
}

/* 7.x shrank these from int to a byte. */
struct task_struct___before_7 {
	int on_cpu;
	int on_rq;
} __attribute__((preserve_access_index));

static __always_inline bool compat_on_cpu(struct task_struct *p)
{
	if (bpf_core_field_size(p->on_cpu) == sizeof(u8))
		return p->on_cpu;
	return ((struct task_struct___before_7 *)p)->on_cpu;
}

/* 0: asleep; 1: on a runqueue; 2, the kernel's TASK_ON_RQ_MIGRATING: between two. */
static __always_inline int compat_on_rq(struct task_struct *p)
{
	if (bpf_core_field_size(p->on_rq) == sizeof(u8))
		return p->on_rq;
	return ((struct task_struct___before_7 *)p)->on_rq;
}

static __always_inline bool is_asleep(struct task_struct *p)
{
	return compat_on_rq(p) == 0;
}

static __always_inline bool is_migrating(struct task_struct *p)
{
	return compat_on_rq(p) == 2;
}

/*
 * Did the present thread, `p`, enter the kernel by an interrupt? A system call keeps its number.
 * Elsewhere than on x86 this cannot be told, and is taken for granted.
 */
static __always_inline bool compat_was_interrupted(struct task_struct *p)
{
#ifdef __TARGET_ARCH_x86
	return (s64)((struct pt_regs *)bpf_task_pt_regs(p))->orig_ax < 0;
#else
	return true;
#endif
}

/* These values differ between kernels (7.0 moved SCX_ENQ_*): always take the running one's. */
#define SCX_VALUE(type, name) bpf_core_enum_value(enum type, name)

/*
 * `p`, to read what it points to. For each pointer that is read from a trusted one the verifier
 * looks through all types of the kernel, one by one up to 6.19: half of the time of a load.
 */
#define read_only(p) bpf_core_cast(p, struct task_struct)

/*
 * Two ways to keep these programs small: most runs find them cold, and then they cost what they
 * fill of the instruction cache. Code that only some wakeups or switches need goes out of the
 * straight line, and short loops stay loops.
 */
#define OUT_OF_LINE static __attribute__((noinline))
#define NO_UNROLL _Pragma("clang loop unroll(disable)")

#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

#endif
