/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The waiters of a CPU: threads that woke there while it was busy and have not run since. They
 * are the reason for hints, and each is worth only so many.
 */
#ifndef MORPHEUS_BPF_WAITERS_BPF_H
#define MORPHEUS_BPF_WAITERS_BPF_H

#include "blame.bpf.h"

#define MOST_HINTS 255u /* what fits into hints_left */

/*
 * A waiter is worth as many hints as threads are runnable with it. If that many workers yielded and
 * the kernel picked others each time (it has its own idea of fairness, and a yield does not reach
 * beyond a cgroup), more of them would help no one: the waiter is left to the ordinary slices.
 */
OUT_OF_LINE void add_waiting(struct cpu_state *c, u32 pid, u32 runnable)
{
	NO_UNROLL
	for (int i = 0; i < MAX_WAITING; i++) {
		if (__sync_val_compare_and_swap(&c->waiters.pids[i], 0, pid) == 0) {
			c->waiters.hints_left[i] = runnable < MOST_HINTS ? runnable : MOST_HINTS;
			__sync_fetch_and_add(&c->waiters.count, 1);
			blame_waits(pid);
			return;
		}
	}
	/* Full: with this many others waiting, hints are open here anyway. */
}

/* Several CPUs may see that `pid` waits no more; one of them counts it. */
static __always_inline bool free_waiting(struct cpu_state *c, int i, u32 pid)
{
	if (__sync_val_compare_and_swap(&c->waiters.pids[i], pid, 0) != pid)
		return false;
	__sync_fetch_and_sub(&c->waiters.count, 1);
	return true;
}

OUT_OF_LINE bool remove_waiting(struct cpu_state *c, u32 pid)
{
	NO_UNROLL
	for (int i = 0; i < MAX_WAITING; i++) {
		if (READ_ONCE(c->waiters.pids[i]) == pid && free_waiting(c, i, pid))
			return true;
	}
	return false;
}

/*
 * The thread that gets the CPU waits no more. Nor does the thread that had it: some kernels do not
 * report every switch (seen where the one before was the idle thread), and hints for a thread that
 * stayed noted would never end.
 */
OUT_OF_LINE void remove_run(struct cpu_state *c, u32 prev, u32 next)
{
	NO_UNROLL
	for (int i = 0; i < MAX_WAITING; i++) {
		u32 pid = READ_ONCE(c->waiters.pids[i]);

		if (pid && (pid == next || pid == prev))
			free_waiting(c, i, pid);
	}
}

/* A hint was given: each waiter has used up one of its own. */
OUT_OF_LINE void charge_waiting(struct cpu_state *c)
{
	NO_UNROLL
	for (int i = 0; i < MAX_WAITING; i++) {
		u32 pid = READ_ONCE(c->waiters.pids[i]);

		if (pid && c->waiters.hints_left[i]-- <= 1)
			free_waiting(c, i, pid);
	}
}

/*
 * Of several threads that wake while a CPU is idle one gets it. The first is not noted at once:
 * mostly it is the only one and runs immediately. Those after it are. If another thread gets the
 * CPU, the first one waits after all.
 */
OUT_OF_LINE void settle_claim(struct cpu_state *c, struct task_struct *next)
{
	u32 pid = c->waiters.claimant;

	c->waiters.claimant = 0;
	if (next->pid && (u32)next->pid != pid)
		add_waiting(c, pid, runnable_beside(next));
}

/* Is a CPU idle on which `p` may run? Then no worker need make room. */
OUT_OF_LINE bool has_idle_cpu(struct task_struct *p)
{
	const int words = (u32)(nr_cpus + 63) / 64;
	int word, i;

	if (p->nr_cpus_allowed == 1)
		return false;
	bpf_for(word, 0, words) {
		u64 idle = READ_ONCE(*idle_word(word * 64));

		if (!idle)
			continue;
		bpf_for(i, 0, 64) {
			if (idle >> i & 1 && bpf_cpumask_test_cpu(word * 64 + i, p->cpus_ptr))
				return true;
		}
	}
	return false;
}

#endif
