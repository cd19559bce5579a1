/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts from outside: who lost the CPU inside a critical section, and how many safe points the other
 * threads passed while the probe waited. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "witness.h"

#define MAX_RT_PRIO 100

struct witness_thread threads[WITNESS_MAX_THREADS];
__u32 nr_threads;
__u32 probe_tid;
/* How often the probe ran after so many safe points had passed since its wakeup; the last is "more". */
__u64 passed[WITNESS_PASSED_MAX];

/* Threads that woke, by CPU: nobody can have been a reason for more hints than these. */
__u64 wakeups[WITNESS_MAX_CPUS];

static __u64 safe_points_at_wakeup;
static __u32 probe_waits;

static __always_inline struct witness_thread *find(__u32 tid)
{
	for (__u32 i = 0; i < WITNESS_MAX_THREADS && i < nr_threads; i++)
		if (threads[i].tid == tid)
			return &threads[i];
	return 0;
}

static __always_inline __u64 all_safe_points(void)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < WITNESS_MAX_THREADS && i < nr_threads; i++)
		sum += *(volatile unsigned long long *)&threads[i].safe_points;
	return sum;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *p)
{
	if (p->thread_info.cpu < WITNESS_MAX_CPUS)
		__sync_fetch_and_add(&wakeups[p->thread_info.cpu], 1);
	if (probe_tid && p->pid == (int)probe_tid) {
		safe_points_at_wakeup = all_safe_points();
		probe_waits = 1;
	}
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	struct witness_thread *t;
	__u64 count;

	if (!nr_threads)
		return 0;
	t = find(prev->pid);
	if (t && (preempt || !prev_state)) {
		t->preempted++;
		if (*(volatile unsigned int *)&t->critical) {
			t->critical_losses++;
			if (next->prio < MAX_RT_PRIO)
				t->losses_to_higher++;
		}
	}
	t = find(next->pid);
	if (t)
		t->switched_in++;
	if (probe_waits && next->pid == (int)probe_tid) {
		probe_waits = 0;
		count = all_safe_points() - safe_points_at_wakeup;
		if (count >= WITNESS_PASSED_MAX)
			count = WITNESS_PASSED_MAX - 1;
		passed[count]++;
	}
	return 0;
}

/* Called by a sched_ext scheduler to take a CPU; only where the kernel has sched_ext. */
SEC("kprobe/scx_bpf_kick_cpu")
int BPF_KPROBE(on_kick, int cpu)
{
	struct witness_thread *t = find((__u32)bpf_get_current_pid_tgid());

	if (t && cpu == (int)bpf_get_smp_processor_id())
		t->kicked++;
	return 0;
}

char _license[] SEC("license") = "GPL";
