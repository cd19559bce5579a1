/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Balance between last-level caches (LLC). A CPU whose LLC has nothing to do takes from the queue
 * of another. So does a CPU, now and then, whose own queue is much shorter than another: otherwise
 * a few threads here would run for long beside many there.
 */
#ifndef MORPHEUS_BPF_BALANCE_BPF_H
#define MORPHEUS_BPF_BALANCE_BPF_H

#include "queues.bpf.h"

/*
 * Threads that wait elsewhere may all be barred from this CPU: after a vain try, none for so long.
 */
#define ALONE_NS 100000000ull

static __always_inline bool take_from_llc(struct cpu_state *c, u32 llc)
{
	if (!compat_move_to_local(SHARED_DSQ + llc))
		return false;
	c->balance.helped = llc + 1;
	return true;
}

/* The LLC other than `own` with the most waiting threads, and how many they are. */
static __always_inline u32 longest_queue(u32 own, u32 *queued)
{
	u32 longest = own;
	int llc;

	*queued = 0;
	bpf_for(llc, 0, nr_llcs) {
		s32 here = (u32)llc == own ? 0 : scx_bpf_dsq_nr_queued(SHARED_DSQ + llc);

		if (here > (s32)*queued) {
			*queued = here;
			longest = llc;
		}
	}
	return longest;
}

/* At a tick: should this CPU take from another LLC's queue next? */
OUT_OF_LINE void look_around(struct cpu_state *c, s32 cpu, u64 now)
{
	u32 own = llc_of_cpu(cpu), queued, longest;

	c->balance.helps = 0;
	if (now < c->balance.alone_until)
		return;
	longest = longest_queue(own, &queued);
	if (policy_imbalanced(queued, scx_bpf_dsq_nr_queued(SHARED_DSQ + own)))
		c->balance.helps = longest + 1;
}

OUT_OF_LINE bool help(struct cpu_state *c)
{
	u32 llc = c->balance.helps - 1;

	c->balance.helps = 0;
	if (take_from_llc(c, llc))
		return true;
	c->balance.alone_until = bpf_ktime_get_ns() + ALONE_NS;
	return false;
}

/* For a CPU that has no work: the longest queue is the shortest way to some. */
OUT_OF_LINE bool take_anywhere(struct cpu_state *c, s32 cpu)
{
	u32 own = llc_of_cpu(cpu), queued, longest = longest_queue(own, &queued);
	int llc;

	if (!queued)
		return false;
	if (take_from_llc(c, longest))
		return true;
	bpf_for(llc, 0, nr_llcs) { /* the threads of the longest may not run here */
		if ((u32)llc != own && (u32)llc != longest && take_from_llc(c, llc))
			return true;
	}
	return false;
}

#endif
