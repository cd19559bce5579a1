/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the BPF programs, compiled natively and unchanged, and the simulated kernel that runs
 * them. One machine at a time in a process: the programs keep their state in globals, as in BPF.
 */
#ifndef MORPHEUS_SIM_PROGRAMS_H
#define MORPHEUS_SIM_PROGRAMS_H

#include "kernel/vmlinux.h"
#include "proto/events.h"

struct policy_claims;

#ifdef __cplusplus
extern "C" {
#endif

/* Where and when the running program runs. */
struct sim_context {
	__u64 now;
	__u32 cpu;
	struct task_struct *current_task;
};
extern struct sim_context sim_context;

/* The programs: tracepoints, */
int on_switch(bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int state);
int on_wakeup(struct task_struct *p);
int on_wakeup_new(struct task_struct *p);
int on_migrate(struct task_struct *p, int dest);
int on_exit_program(struct task_struct *p);
void programs_timer(__u32 cpu);
void programs_preempt_timer(__u32 cpu);
__s32 programs_cpu_of_preempt_timer(const struct bpf_timer *timer); /* -1: another timer */
/* the scheduler, */
s32 morpheus_select_cpu(struct task_struct *p, s32 prev_cpu, u64 wake_flags);
void morpheus_enqueue(struct task_struct *p, u64 enq_flags);
void morpheus_dispatch(s32 cpu, struct task_struct *prev);
bool morpheus_yield(struct task_struct *from, struct task_struct *to);
void morpheus_tick(struct task_struct *p);
void morpheus_running(struct task_struct *p);
void morpheus_stopping(struct task_struct *p, bool runnable);
void morpheus_enable(struct task_struct *p);
void morpheus_set_cpumask(struct task_struct *p, const struct cpumask *mask);
void morpheus_runnable(struct task_struct *p, u64 enq_flags);
void morpheus_quiescent(struct task_struct *p, u64 deq_flags);
s32 morpheus_init(void);
void morpheus_exit(struct scx_exit_info *info);
/* and what the daemon does with them. */
void programs_reset(__s32 cpus, __u32 llcs,
		    const struct morpheus_tunables *t); /* as freshly loaded */
void programs_set_tunables(const struct morpheus_tunables *t);
void programs_add_worker(struct task_struct *p, __u32 slot, __u32 generation, __u64 first_seq,
			 struct morpheus_scb_kernel *kernel, struct morpheus_scb_runtime *runtime);
void programs_set_state(__u32 slot, __u32 state);
void programs_remove_worker(struct task_struct *p, __u32 slot);
struct morpheus_worker_record *programs_worker(__u32 slot);
__u32 programs_max_workers(void);
__u32 programs_mode(void);
/* A control group below another; 0 is the root. Once for each, after programs_reset(). */
void programs_make_group(__u32 group, __u32 parent, __u32 weight);
void programs_put_in_group(struct task_struct *p, __u32 group);

/* The simulated kernel, for the programs. */
void *sim_map_lookup(void *map, size_t value_size, size_t entries, __u32 key);
long sim_event(const struct morpheus_event *event);
long sim_timer_start(struct bpf_timer *timer, __u64 delay, __u64 flags);

/* Every decision about a worker, as it is made. */
void sim_hint_decided(__u32 slot, __u32 waiters, bool contended, __u32 reason);
void sim_slice_decided(__u32 slot, const struct policy_claims *claims, bool contended,
		       __u32 verdict);
void sim_stay_decided(__u32 slot);
void sim_gate_decided(__u32 slot, const struct policy_claims *claims, __u32 block);

#ifdef __cplusplus
}
#endif

#endif
