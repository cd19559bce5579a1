/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BPF programs as native code: the very files of bpf/, with the headers of kernel/ in place of
 * the kernel's. Each decision about a worker goes through a witness, which reports it to the
 * checker.
 */
#include "programs.h"

#include "bpf/policy.bpf.h"

extern struct morpheus_worker_record workers[MORPHEUS_MAX_WORKERS];

static inline __u32 witnessed_hint(const struct morpheus_worker_record *w,
				   const struct morpheus_tunables *t, __u64 now, __u32 waiters,
				   bool contended)
{
	__u32 reason = policy_hint(w, t, now, waiters, contended);

	sim_hint_decided(w - workers, waiters, contended, reason);
	return reason;
}

static inline bool witnessed_imbalance(const struct morpheus_worker_record *w,
				       const struct morpheus_tunables *t, __u64 now)
{
	bool hint = policy_hint_imbalance(w, t, now);

	if (hint)
		sim_hint_decided(w - workers, 0, true, MORPHEUS_HINT_IMBALANCE);
	return hint;
}

static inline __u32 witnessed_slice(const struct morpheus_worker_record *w,
				    const struct policy_claims *c,
				    const struct morpheus_tunables *t, __u64 now, bool contended)
{
	__u32 verdict = policy_slice(w, c, t, now, contended);

	sim_slice_decided(w - workers, c, contended, verdict);
	return verdict;
}

static inline __u32 witnessed_gate(__u32 mode, const struct morpheus_worker_record *w,
				   const struct policy_claims *c, const struct morpheus_tunables *t,
				   __u64 now)
{
	__u32 block = policy_escalation_gate(mode, w, c, t, now);

	sim_gate_decided(w - workers, c, block);
	return block;
}

/* It has to find out whose decision it is, for which it needs the programs themselves. */
static bool witnessed_stays(__u64 vtime, __u64 first, __u32 weight, __u64 turn_ns, bool yielded,
			    const struct morpheus_tunables *t);

#define policy_hint witnessed_hint
#define policy_hint_imbalance witnessed_imbalance
#define policy_slice witnessed_slice
#define policy_stays witnessed_stays
#define policy_escalation_gate witnessed_gate
#define on_exit on_exit_program /* the C library has one */
#include "bpf/morpheus.bpf.c"
#undef policy_stays

static bool witnessed_stays(__u64 vtime, __u64 first, __u32 weight, __u64 turn_ns, bool yielded,
			    const struct morpheus_tunables *t)
{
	bool stays = policy_stays(vtime, first, weight, turn_ns, yielded, t);
	__u32 slot = running_worker(cpu_state(sim_context.cpu));

	if (stays && slot)
		sim_stay_decided(slot);
	return stays;
}

void programs_timer(__u32 cpu)
{
	on_timer(&cpu_timers, &cpu, bpf_map_lookup_elem(&cpu_timers, &cpu));
}

void programs_preempt_timer(__u32 cpu)
{
	on_preempt_timer(&preempt_timers, &cpu, bpf_map_lookup_elem(&preempt_timers, &cpu));
}

__s32 programs_cpu_of_preempt_timer(const struct bpf_timer *timer)
{
	__u32 first = 0;
	const struct preempt_timer *of_first = bpf_map_lookup_elem(&preempt_timers, &first);
	const struct preempt_timer *t = (const void *)timer;

	return t >= of_first && t < of_first + MORPHEUS_MAX_CPUS ? t - of_first : -1;
}

void programs_reset(__s32 count, __u32 llcs, const struct morpheus_tunables *t)
{
	__builtin_memset(cpus, 0, sizeof(cpus));
	__builtin_memset(idle_cpus, 0, sizeof(idle_cpus));
	__builtin_memset(workers, 0, sizeof(workers));
	__builtin_memset(&scheduler_exit, 0, sizeof(scheduler_exit));
	for (__u32 slot = 0; slot < MORPHEUS_MAX_WORKERS; slot++)
		((struct worker_task *)bpf_map_lookup_elem(&worker_tasks, &slot))->task = NULL;
	events_dropped = 0;
	nr_workers = 0;
	mode = MORPHEUS_OBSERVER_ONLY;
	__builtin_memset(shared_queues, 0, sizeof(shared_queues));
	event_mask = ~0u;
	nr_cpus = count;
	nr_llcs = llcs;
	for (__s32 cpu = 0; cpu < count; cpu++)
		llc_of[cpu] = cpu * llcs / count;
	tunables = *t;
}

void programs_set_tunables(const struct morpheus_tunables *t)
{
	tunables = *t;
}

void programs_add_worker(struct task_struct *p, __u32 slot, __u32 generation, __u64 first_seq,
			 struct morpheus_scb_kernel *kernel, struct morpheus_scb_runtime *runtime)
{
	struct morpheus_worker_record *w = &workers[slot];
	struct worker_lines *lines = (struct worker_lines *)p->storage;

	_Static_assert(sizeof(*lines) <= sizeof(p->storage), "task storage");
	if (!nr_workers)
		for (__u32 cpu = 0; cpu < (__u32)nr_cpus; cpu++)
			reset_cpu(&cpu);
	*w = (struct morpheus_worker_record){.tid = p->pid,
					     .generation = generation,
					     .state = MORPHEUS_WORKER_REGISTERED,
					     .priority = MORPHEUS_PRIORITY_DEFAULT,
					     .seq = first_seq,
					     .ended_seq = first_seq,
					     .lost_seq = first_seq,
					     .blocked_seq = first_seq};
	*kernel = (struct morpheus_scb_kernel){.preempt_seq = first_seq,
					       .withdrawn_seq = first_seq,
					       .worker_state = MORPHEUS_WORKER_REGISTERED};
	*lines = (struct worker_lines){.kernel = kernel, .runtime = runtime, .slot = slot};
	p->has_storage = 1;
	nr_workers++;
}

void programs_set_state(__u32 slot, __u32 state)
{
	workers[slot].state = state;
}

void programs_remove_worker(struct task_struct *p, __u32 slot)
{
	struct worker_task *ref = bpf_map_lookup_elem(&worker_tasks, &slot);

	workers[slot].state = MORPHEUS_WORKER_DEAD;
	nr_workers--;
	if (p)
		p->has_storage = 0;
	if (ref->task)
		bpf_task_release(ref->task);
	ref->task = NULL;
}

struct morpheus_worker_record *programs_worker(__u32 slot)
{
	return &workers[slot];
}

__u32 programs_max_workers(void)
{
	return MORPHEUS_MAX_WORKERS;
}

__u32 programs_mode(void)
{
	return mode;
}

static struct task_group task_groups[16];

void programs_make_group(__u32 group, __u32 parent, __u32 weight)
{
	task_groups[group] = (struct task_group){
		.css.id = group + 1, .shares = weight, .parent = &task_groups[parent]};
}

void programs_put_in_group(struct task_struct *p, __u32 group)
{
	p->sched_task_group = &task_groups[group];
}
