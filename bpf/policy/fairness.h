/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual time: what each thread has had of the CPUs, divided by its weight. A queue is sorted by
 * it, and its clock is the virtual time of the thread that last came from it. A thread's distance
 * from the clock says what it owes the others, or what they owe it.
 */
#ifndef MORPHEUS_BPF_POLICY_FAIRNESS_H
#define MORPHEUS_BPF_POLICY_FAIRNESS_H

#include "bpf/policy/claims.h"

/* Weights are fixed-point numbers: this is that of a nice-0 thread, and of an ordinary group. */
#define POLICY_WEIGHT_UNIT (1u << 20)
#define POLICY_MOST_WEIGHT (POLICY_WEIGHT_UNIT * 128) /* cpu.weight 10000 is 100; nice -20 is 87 */
#define POLICY_NICE_0_PRIO 120                        /* the kernel's static_prio of nice 0 */

/*
 * One nice level is a factor of 1.25, as in the kernel's own class (sched_prio_to_weight,
 * kernel/sched/core.c); SCHED_IDLE weighs 3/1024 of nice 0.
 */
POLICY_FN __u32 policy_thread_weight(__s32 static_prio, bool is_idle)
{
	static const __u32 of_nice[40] = {
		90949470, 72759576, 58207661, 46566129, 37252903, 29802322, 23841858, 19073486,
		15258789, 12207031, 9765625,  7812500,  6250000,  5000000,  4000000,  3200000,
		2560000,  2048000,  1638400,  1310720,  1048576,  838861,   671089,   536871,
		429497,   343597,   274878,   219902,   175922,   140737,   112590,   90072,
		72058,    57646,    46117,    36893,    29515,    23612,    18889,    15112,
	};
	const __u32 level = (__u32)(static_prio - POLICY_NICE_0_PRIO + 20);

	if (is_idle)
		return POLICY_WEIGHT_UNIT / 1024 * 3;
	return of_nice[level < 40 ? level : 39];
}

/*
 * What is left of a thread's weight in a control group of weight `of_group`, whose runnable threads
 * and groups weigh `load` together, this one included. Once more for each of the group's parents:
 * so a group gets what its weight is worth among its siblings, however many threads it has. The
 * kernel's own class has the same shares (calc_group_shares in kernel/sched/fair.c); weights that
 * are multiplied out are the idea of the sched_ext example scx_flatcg.
 */
POLICY_FN __u32 policy_weight_in_group(__u32 weight, __u32 of_group, __u64 load)
{
	__u64 part = (__u64)weight * of_group / (load > weight ? load : weight);

	return part ? (__u32)part : 1;
}

/* Virtual time for a run: that of a nice-0 thread advances with the wall clock. */
POLICY_FN __u64 policy_vtime_delta(__u64 ran_ns, __u32 weight)
{
	return ran_ns * (__u64)POLICY_WEIGHT_UNIT / (weight ? weight : 1);
}

/*
 * A worker's weight. Its priority is a claim, so it can only take away: a client may be modest, but
 * gets no more than its nice value and its control group give it. A tenth remains in any case: a
 * modest worker must still get somewhere.
 */
POLICY_FN __u32 policy_worker_weight(__u32 weight, __u32 priority)
{
	const __u32 least = MORPHEUS_PRIORITY_DEFAULT / 10;
	const __u32 part = priority < least ? least : priority;
	const __u64 scaled = (__u64)weight * part / MORPHEUS_PRIORITY_DEFAULT;

	if (part >= MORPHEUS_PRIORITY_DEFAULT)
		return weight;
	return scaled ? (__u32)scaled : 1;
}

/* For what a light thread's weight must not make larger. */
POLICY_FN __u32 policy_at_least_ordinary(__u32 weight)
{
	return weight < POLICY_WEIGHT_UNIT ? POLICY_WEIGHT_UNIT : weight;
}

/* Virtual times wrap; the order is by signed distance. */
POLICY_FN bool policy_vtime_before(__u64 a, __u64 b)
{
	return (__s64)(a - b) < 0;
}

/*
 * How far a queue's clock must come at least: within this time to the place of each thread that
 * waits there now. A thread that is light, alone or by its group, would else wait for as long as
 * its weight is worth, and the kernel ejects a scheduler that lets a thread wait for 30 s. After a
 * leap of the clock the threads before that one have a turn each, and then it has its own.
 */
#define POLICY_LONGEST_WAIT_NS 6000000000ull

/*
 * How long a slice is on a CPU with so many runnable threads. In a crowd slices shrink, or a round
 * would take longer than a thread may wait. Below the floor too much would go into switches.
 */
#define POLICY_CROWDED_ROUND_NS 250000000ull
#define POLICY_SHORTEST_SLICE_NS 500000ull

POLICY_FN bool policy_is_crowd(__u32 runnable, const struct morpheus_tunables *t)
{
	return runnable * t->slice_ns > POLICY_CROWDED_ROUND_NS &&
	       t->slice_ns > POLICY_SHORTEST_SLICE_NS;
}

POLICY_FN __u64 policy_slice_beside(__u32 runnable, const struct morpheus_tunables *t)
{
	__u64 slice = POLICY_CROWDED_ROUND_NS / (runnable ? runnable : 1);

	if (!policy_is_crowd(runnable, t))
		return t->slice_ns;
	return slice < POLICY_SHORTEST_SLICE_NS ? POLICY_SHORTEST_SLICE_NS : slice;
}

/*
 * Where a thread enters a queue. It keeps what it owes, however long it slept: only the turns of
 * others settle that, or sleeping for an instant would. Of what it is owed it keeps `most_credit`:
 * a slice, or after a sleep the hint lead, enough to come first and to take the CPU from an
 * ordinary thread. With more, a hundred that wake together would keep every other thread waiting
 * for a hundred slices. EEVDF keeps a thread's lag likewise (kernel/sched/fair.c).
 */
POLICY_FN __u64 policy_vtime_entered(__u64 vtime, __u64 clock, __u64 most_credit)
{
	__u64 oldest = clock - most_credit;

	return policy_vtime_before(vtime, oldest) ? oldest : vtime;
}

/*
 * What a thread that slept owes at most in a crowd: two slices of its own, as in EEVDF
 * (update_entity_lag in kernel/sched/fair.c). Slices are shorter there, and what was a slice before
 * it slept would be many rounds. Few threads owe more: only for them is it worth the cost to find
 * out their weight.
 */
POLICY_FN bool policy_owes_much(__u64 owed, __u32 runnable, const struct morpheus_tunables *t)
{
	return policy_is_crowd(runnable, t) &&
	       policy_vtime_before(2 * policy_slice_beside(runnable, t), owed);
}

POLICY_FN __u64 policy_crowd_owes(__u64 owed, __u32 runnable, __u32 weight,
				  const struct morpheus_tunables *t)
{
	__u64 most = policy_vtime_delta(2 * policy_slice_beside(runnable, t), weight);

	return policy_vtime_before(most, owed) ? most : owed;
}

/*
 * Where a new thread begins, as a distance from its queue's clock: it inherits what its maker owes
 * (`owed`, that one's distance), and is a slice behind. A chain of processes, each of which starts
 * the next and ends, runs as one thread does.
 */
POLICY_FN __u64 policy_distance_born(__u64 owed, __u32 weight, const struct morpheus_tunables *t)
{
	return (policy_vtime_before(owed, 0) ? 0 : owed) + policy_vtime_delta(t->slice_ns, weight);
}

/*
 * What a turn costs, as CPU time. A thread that yields gives its whole slice up, or those that
 * yield all the time would have a turn each before a neighbour's next one. A worker that yields
 * because it was hinted pays for what it used: it made room when it was asked to.
 */
POLICY_FN __u64 policy_turn_cost(__u64 ran_ns, bool gave_up, const struct morpheus_tunables *t)
{
	return gave_up && ran_ns < t->slice_ns ? t->slice_ns : ran_ns;
}

/* Does a yield answer a hint? The worker was hinted in this run, or before and has not answered. */
POLICY_FN bool policy_yield_answers(const struct morpheus_worker_record *w)
{
	return w->seq != w->ended_seq || (w->run_start_ns && w->hinted_at_ns >= w->run_start_ns);
}

#endif
