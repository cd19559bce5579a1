/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that may run on several CPUs wait in one dispatch queue (DSQ) for each last-level cache (LLC),
 * threads bound to one CPU in that CPU's own: so no CPU walks over threads it cannot take. Each queue has
 * a virtual clock of its own, or a lone thread on one CPU would make the threads that crowd another look
 * ever further behind, and a newcomer there, placed by the clock, would wait for all of them to catch up.
 * Where virtual times of different queues meet they are compared as distances from their clocks, and a
 * thread that changes its queue keeps its distance.
 *
 * A CPU whose LLC has nothing to do takes from another's queue. So does one, now and then, whose own
 * queue is much shorter than another: else few threads here would run for long beside many there.
 */
#ifndef MORPHEUS_BPF_QUEUES_BPF_H
#define MORPHEUS_BPF_QUEUES_BPF_H

#include "state.bpf.h"

#define SHARED_DSQ (1ull << 32) /* of the first LLC; the others' follow */
/* What waits elsewhere cannot all run here: after a try in vain, so long none. */
#define ALONE_NS 100000000ull

struct llc_clock {
	u64 now;
} __attribute__((aligned(64)));

static struct llc_clock shared_clocks[MORPHEUS_MAX_LLCS];

static __always_inline bool is_bound(struct task_struct *p)
{
	return p->nr_cpus_allowed == 1;
}

static __always_inline u64 shared_dsq(s32 cpu)
{
	return SHARED_DSQ + llc_of_cpu(cpu);
}

static __always_inline u64 *shared_clock(u32 llc)
{
	return &shared_clocks[llc & (MORPHEUS_MAX_LLCS - 1)].now;
}

static __always_inline u64 dsq_of(struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);

	return is_bound(p) ? (u64)cpu : shared_dsq(cpu);
}

/* The virtual clock of the queue that `p` belongs to. */
static __always_inline u64 *clock_of(struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);

	return is_bound(p) ? &cpu_state(cpu)->bound.clock : shared_clock(llc_of_cpu(cpu));
}

/* What `p` owes or is owed goes with it to the queue of another LLC. */
static __always_inline void change_llc(struct task_struct *p, u32 from, u32 to)
{
	if (from != to && !is_bound(p))
		p->scx.dsq_vtime += *shared_clock(to) - *shared_clock(from);
}

/*
 * Does a thread that is bound to this CPU wait? To find a queue costs as much as all else here, and most CPUs
 * have no such thread: the queue is looked at only after one was put there. Only with the runqueue of `cpu` locked:
 * a thread that is being queued has raised the flag and is not seen in the queue yet. Those that come without that
 * lock raise it afterwards, and the flag falls before the look, so that it stays up for them.
 */
static __always_inline bool bound_wait(struct cpu_state *c, s32 cpu)
{
	if (!READ_ONCE(c->bound.queued))
		return false;
	__sync_lock_test_and_set(&c->bound.queued, 0); /* a full barrier */
	if (scx_bpf_dsq_nr_queued(cpu) <= 0)
		return false;
	WRITE_ONCE(c->bound.queued, 1);
	return true;
}

/* After `p` was put into its queue, or before the kernel does so with the runqueue locked. */
static __always_inline void note_queued(struct task_struct *p)
{
	if (is_bound(p))
		WRITE_ONCE(cpu_state(scx_bpf_task_cpu(p))->bound.queued, 1);
}

/* The kernel itself puts some threads into a CPU's local queue: those that exit or may not migrate now. */
static __always_inline bool unbound_wait(s32 cpu)
{
	return scx_bpf_dsq_nr_queued(shared_dsq(cpu)) > 0 ||
	       scx_bpf_dsq_nr_queued(SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL_ON) | cpu) > 0;
}

/* Only with the runqueue of `cpu` locked. */
static __always_inline bool contended(s32 cpu)
{
	return bound_wait(cpu_state(cpu), cpu) || unbound_wait(cpu);
}

static __always_inline bool take_from_llc(struct cpu_state *c, u32 llc)
{
	if (!compat_move_to_local(SHARED_DSQ + llc))
		return false;
	c->balance.helped = llc + 1;
	return true;
}

/* The LLC, other than `own`, with the most waiting threads, and how many they are. */
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

/* At a tick: is this CPU to take from another LLC's queue next? */
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

/* The shortest way to work for a CPU that has none: the longest queue. */
OUT_OF_LINE bool take_anywhere(struct cpu_state *c, s32 cpu)
{
	u32 own = llc_of_cpu(cpu), queued, longest = longest_queue(own, &queued);
	int llc;

	if (!queued)
		return false;
	if (take_from_llc(c, longest))
		return true;
	bpf_for(llc, 0, nr_llcs) { /* its threads may not run here */
		if ((u32)llc != own && (u32)llc != longest && take_from_llc(c, llc))
			return true;
	}
	return false;
}

/* Since when the one of the two queues counts as passed over, if the running thread stopped now. */
static __always_inline u64 passed_since(struct cpu_state *c, struct task_struct *p, u64 now)
{
	if (c->run.ahead || c->turn.passed_over != (is_bound(p) ? QUEUE_BOUND : QUEUE_SHARED))
		return c->turn.since_ns;
	return policy_passed_over_since(c->turn.since_ns, now,
					p->se.sum_exec_runtime - c->run.vtime_exec_ns,
					c->turn.round);
}

static __always_inline u32 round_of_bound(s32 cpu)
{
	return policy_round(scx_bpf_dsq_nr_queued(cpu), 1);
}

static __always_inline u32 round_of_shared(s32 cpu)
{
	return policy_round(scx_bpf_dsq_nr_queued(shared_dsq(cpu)),
			    (u32)nr_cpus / (u32)(nr_llcs ?: 1));
}

/*
 * The virtual time with which `p`, on `cpu`, may enter its queue. Who is not far ahead costs no look at the queue. The
 * runqueue counts those, too, that come to the queue a moment later, as all do when the scheduler begins.
 */
static __always_inline u64 entry_vtime(struct task_struct *p, s32 cpu, u64 vtime, u64 clock)
{
	u32 round = 1;

	if (policy_is_far_ahead(vtime, clock, &tunables)) {
		u32 shared = is_bound(p) ? 0 : round_of_shared(cpu);

		round = policy_round(runnable_beside(p), 1);
		round = shared > round ? shared : round;
	}
	return policy_vtime_clamp(vtime, clock, round, &tunables);
}

/* Both queues wait, and virtual times are for one. Whose turn it is: the other's once it was passed over for long. */
static __always_inline bool turn_of_bound(struct cpu_state *c, s32 cpu, struct task_struct *prev,
					  bool bound_first)
{
	u8 passed_over = bound_first ? QUEUE_SHARED : QUEUE_BOUND;
	u64 now = bpf_ktime_get_ns();

	if (c->turn.passed_over != passed_over) {
		c->turn.passed_over = passed_over;
		c->turn.since_ns = now;
		return bound_first;
	}
	c->turn.round = bound_first ? round_of_bound(cpu) : round_of_shared(cpu);
	if (policy_passed_over_long(prev ? passed_since(c, prev, now) : c->turn.since_ns, now,
				    c->turn.round, &tunables))
		return !bound_first;
	return bound_first;
}

static __always_inline bool take_own(struct cpu_state *c, s32 cpu, struct task_struct *prev)
{
	u64 shared_queue = shared_dsq(cpu), here = 0, shared = 0;
	bool bound_first;

	if (!bound_wait(c, cpu))
		return compat_move_to_local(shared_queue);
	if (!compat_first_vtime(cpu, &here) || !compat_first_vtime(shared_queue, &shared))
		return compat_move_to_local(cpu) || compat_move_to_local(shared_queue);
	here -= c->bound.clock;
	shared -= *shared_clock(llc_of_cpu(cpu));
	bound_first = !policy_vtime_before(shared, here);
	/* Who is ahead of virtual time is no turn of its queue's: the others there wait on. */
	if (!policy_is_ahead(bound_first ? here : shared))
		bound_first = turn_of_bound(c, cpu, prev, bound_first);
	if (bound_first)
		return compat_move_to_local(cpu) || compat_move_to_local(shared_queue);
	return compat_move_to_local(shared_queue) || compat_move_to_local(cpu);
}

/* `prev`: the running thread, if it would go on. */
static __always_inline bool take_next(struct cpu_state *c, s32 cpu, struct task_struct *prev)
{
	return take_own(c, cpu, prev) || (nr_llcs > 1 && take_anywhere(c, cpu));
}

#endif
