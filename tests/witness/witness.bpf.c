/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts from outside: which threads lost the CPU inside a critical section, and how many safe
 * points the other threads passed while the probe waited.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "witness.h"

#define MAX_RT_PRIO 100
#define PF_KTHREAD 0x00200000

struct witness_mark marks[WITNESS_MAX_THREADS];
struct witness_count counts[WITNESS_MAX_THREADS];
__u32 nr_threads;
__u32 probe_tid;
/*
 * How often the probe ran after i safe points had passed since its wakeup; the last also counts
 * more.
 */
__u64 passed[WITNESS_PASSED_MAX];

/* How long watched threads kept a CPU, by thread and length. */
__u32 stints[WITNESS_MAX_THREADS * WITNESS_STINT_BUCKETS];
__u64 stint_since[WITNESS_MAX_THREADS];
__u64 allowed_ns;
__u32 ticks_beyond[WITNESS_MAX_THREADS]; /* in the present stint, after allowed_ns */

/* Threads that woke on a CPU or came to it: each is the reason for one hint to a lone worker. */
__u64 arrivals[WITNESS_MAX_CPUS];

__u64 safe_points_at_wakeup;
__u32 probe_waits;

static __always_inline int find(__u32 tid)
{
	for (int i = 0; i < WITNESS_MAX_THREADS && i < (int)nr_threads; i++)
		if (marks[i].tid == tid)
			return i;
	return -1;
}

static __always_inline __u64 all_safe_points(void)
{
	__u64 sum = 0;

	for (int i = 0; i < WITNESS_MAX_THREADS && i < (int)nr_threads; i++)
		sum += *(volatile unsigned long long *)&marks[i].safe_points;
	return sum;
}

/* The kernel's stopper: the priority of the highest real-time thread, and a class above it. */
static __always_inline bool is_stopper(struct task_struct *p)
{
	return (p->flags & PF_KTHREAD) && p->prio == 0 && p->comm[0] == 'm' && p->comm[1] == 'i' &&
	       p->comm[2] == 'g' && p->comm[9] == '/';
}

static __always_inline void lost_cpu(int i, struct task_struct *next)
{
	struct witness_count *count = &counts[i & (WITNESS_MAX_THREADS - 1)];

	count->preempted++;
	if (!*(volatile unsigned int *)&marks[i & (WITNESS_MAX_THREADS - 1)].critical)
		return;
	count->critical_losses++;
	if (next->prio >= MAX_RT_PRIO)
		return;
	count->losses_to_higher++;
	if (is_stopper(next))
		count->losses_to_stop++;
}

static __always_inline void end_stint(int i)
{
	__u32 at = i & (WITNESS_MAX_THREADS - 1), bucket;

	if (!stint_since[at])
		return;
	bucket = (bpf_ktime_get_ns() - stint_since[at]) / WITNESS_STINT_BUCKET_NS;
	if (bucket >= WITNESS_STINT_BUCKETS)
		bucket = WITNESS_STINT_BUCKETS - 1;
	stints[(at * WITNESS_STINT_BUCKETS + bucket) &
	       (WITNESS_MAX_THREADS * WITNESS_STINT_BUCKETS - 1)]++;
	stint_since[at] = 0;
	if (ticks_beyond[at] > 1)
		counts[at].overstays++;
}

static __always_inline void begin_stint(int i)
{
	__u32 at = i & (WITNESS_MAX_THREADS - 1);

	counts[at].switched_in++;
	stint_since[at] = bpf_ktime_get_ns();
	ticks_beyond[at] = 0;
	marks[at].late = 0;
}

static __always_inline void arrives(__u32 cpu)
{
	__sync_fetch_and_add(&arrivals[cpu & (WITNESS_MAX_CPUS - 1)], 1);
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *p)
{
	arrives(p->thread_info.cpu);
	return 0;
}

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *p, int dest)
{
	arrives(dest);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *p)
{
	arrives(p->thread_info.cpu);
	/* A probe that was woken before it had left the CPU does not wait. */
	if (probe_tid && p->pid == (int)probe_tid && p->pid != (int)bpf_get_current_pid_tgid()) {
		safe_points_at_wakeup = all_safe_points();
		probe_waits = 1;
	}
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	__u64 count;
	int i;

	if (!nr_threads)
		return 0;
	i = find(prev->pid);
	if (i >= 0) {
		end_stint(i);
		if (preempt || !prev_state)
			lost_cpu(i, next);
	}
	i = find(next->pid);
	if (i >= 0)
		begin_stint(i);
	if (probe_waits && next->pid == (int)probe_tid) {
		probe_waits = 0;
		count = all_safe_points() - safe_points_at_wakeup;
		if (count >= WITNESS_PASSED_MAX)
			count = WITNESS_PASSED_MAX - 1;
		passed[count]++;
	}
	return 0;
}

/* A sched_ext scheduler calls it to take a CPU; only where the kernel has sched_ext. */
SEC("kprobe/scx_bpf_kick_cpu")
int BPF_KPROBE(on_kick, int cpu)
{
	int i = find((__u32)bpf_get_current_pid_tgid());

	if (i >= 0 && cpu == (int)bpf_get_smp_processor_id())
		counts[i & (WITNESS_MAX_THREADS - 1)].kicked++;
	return 0;
}

/* The scheduler's tick, on the CPU and in the interrupt of the thread that runs there. */
SEC("kprobe/sched_tick")
int BPF_KPROBE(on_tick)
{
	int i = find((__u32)bpf_get_current_pid_tgid());
	__u32 at = i & (WITNESS_MAX_THREADS - 1);

	if (i < 0 || !stint_since[at] || bpf_ktime_get_ns() - stint_since[at] <= allowed_ns)
		return 0;
	ticks_beyond[at]++;
	if (*(volatile unsigned int *)&marks[at].late)
		counts[at].late_ticks++;
	return 0;
}

char _license[] SEC("license") = "GPL";
