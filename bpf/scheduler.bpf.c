/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sched_ext half, attached in Enforced mode only: virtual-time fair for every thread, and patient
 * with workers. Hints come from the observer half, in both modes, but for the one that only this half
 * can know a reason for (IMBALANCE). What it adds: a slice that ends inside a critical section or beside
 * a fresh hint is put off, and the CPU is taken from a worker that consented and let a hint's deadline
 * pass.
 */
#include "bandwidth.bpf.h"
#include "exit.bpf.h"
#include "hints.bpf.h"
#include "preemption.bpf.h"
#include "queues.bpf.h"
#include "weights.bpf.h"

/*
 * A worker runs on this lease, renewed at every tick; its slice is ended by us, never by the lease. It
 * is longer than two ticks at HZ=100, and short enough that a missed tick does no harm.
 */
#define LEASE_NS 30000000ull
/* Whom a waiter's CPU is asked of is looked for on so many CPUs. */
#define CPUS_TO_ASK 8

/* Of the thread that has this CPU. */
static __always_inline u32 running_weight(struct cpu_state *c)
{
	return c->slot ? policy_worker_weight(c->run.weight, worker_of(c->slot)->priority)
		       : c->run.weight;
}

/*
 * Nobody is idle: on which CPU is `p` to wait, that is, which worker is to be asked to make room? The queue
 * is the LLC's, so any CPU of it will do.
 */
OUT_OF_LINE s32 cpu_to_ask(struct task_struct *p, s32 cpu)
{
	u32 llc = llc_of_cpu(cpu), asked = 0;
	s32 found = cpu;
	int i;

	bpf_for(i, 0, CPUS_TO_ASK) {
		u32 at = (u32)(cpu + i) % (nr_cpus ?: 1);
		u32 slot = cpu_state(at)->slot;

		if (!slot || llc_of_cpu(at) != llc || !policy_can_be_asked(worker_of(slot)) ||
		    !bpf_cpumask_test_cpu(at, p->cpus_ptr))
			continue;
		if (!asked || policy_asked_before(worker_of(slot), worker_of(asked))) {
			asked = slot;
			found = at;
		}
	}
	return found;
}

SEC("struct_ops/select_cpu")
s32 BPF_PROG(morpheus_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = false;
	s32 cpu;

	cpu_state(bpf_get_smp_processor_id())->woken_in_sync =
		wake_flags & SCX_VALUE(scx_wake_flags, SCX_WAKE_SYNC) ? p->pid : 0;
	if (is_out_of_time(p))
		return prev_cpu; /* no idle CPU is taken for a thread that will be parked */
	cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);
	if (!idle && nr_workers && !is_bound(p))
		cpu = cpu_to_ask(p, cpu);
	change_llc(p, llc_of_cpu(prev_cpu), llc_of_cpu(cpu));
	if (idle)
		compat_insert(p, SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL), tunables.slice_ns, 0);
	return cpu;
}

/* Its waker, on this CPU, is about to sleep. Known only of threads that may run on several CPUs. */
static __always_inline bool is_woken_in_sync(struct task_struct *p)
{
	struct cpu_state *here = cpu_state(bpf_get_smp_processor_id());

	if (here->woken_in_sync != (u32)p->pid)
		return false;
	here->woken_in_sync = 0;
	return true;
}

/* Where there are no workers nobody makes room for anybody, and the order is by virtual time alone. */
static __always_inline bool may_go_ahead(struct cpu_state *c)
{
	return nr_workers && policy_may_go_ahead(c->ahead_until, bpf_ktime_get_ns(), &tunables);
}

SEC("struct_ops/enqueue")
void BPF_PROG(morpheus_enqueue, struct task_struct *p, u64 enq_flags)
{
	bool woken = enq_flags & SCX_VALUE(scx_enq_flags, SCX_ENQ_WAKEUP);
	u64 clock = *clock_of(p), vtime = policy_vtime_of(p->scx.dsq_vtime, clock);
	s32 cpu = scx_bpf_task_cpu(p);
	u64 place;

	if (is_out_of_time(p)) {
		park(p, enq_flags);
		return;
	}
	note_queued(p);
	vtime = entry_vtime(p, cpu, vtime, clock);
	if (!woken) {
		compat_insert_vtime(p, dsq_of(p), tunables.slice_ns, vtime, enq_flags);
		/* It was out of time, and its CPU is about to idle: there is time again. */
		if (enq_flags & SCX_VALUE(scx_enq_flags, SCX_ENQ_LAST))
			scx_bpf_kick_cpu(cpu, 0);
		return;
	}
	vtime = policy_vtime_woken(vtime, clock, weight_of(p), &tunables);
	place = may_go_ahead(cpu_state(cpu)) ? vtime - POLICY_AHEAD : vtime;
	compat_insert_vtime(p, dsq_of(p), tunables.slice_ns, place, enq_flags);
	preempt_ordinary(cpu, vtime - clock, is_woken_in_sync(p));
}

/* What becomes of the worker on `cpu`, decided while it is interrupted there: enum policy_slice. */
static __always_inline u32 judge_slice(struct task_struct *p, s32 cpu, u32 slot, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);
	struct worker_lines *lines = lines_of(p);
	runtime_line_t *line;
	struct policy_claims claims;
	u32 verdict;

	if (!lines || lines->slot != slot)
		return POLICY_SLICE_END;
	line = runtime_line(lines);
	if (!line)
		return POLICY_SLICE_END;
	claims = read_claims(line);
	verdict = policy_slice(w, &claims, &tunables, now,
			       contended(cpu) || cpu_state(cpu)->balance.helps);
	if (verdict == POLICY_SLICE_RENEW) {
		w->slice_start_ns = now;
	} else if (verdict == POLICY_SLICE_DEFER) {
		w->deferrals++;
		emit_run(MORPHEUS_EVENT_DEFERRED, 0, line, slot, now, now - w->slice_start_ns);
	} else if (verdict == POLICY_SLICE_OVERRUN) {
		w->overruns++;
		emit(MORPHEUS_EVENT_OVERRUN, 0, slot, now, now - w->slice_start_ns);
	}
	return verdict;
}

static __always_inline bool stops_now(struct worker_lines *lines, u32 slot, u64 now)
{
	runtime_line_t *line = runtime_line(lines);
	struct policy_claims claims;

	if (!line)
		return true;
	claims = read_claims(line);
	return policy_stops_now(worker_of(slot), &claims, &tunables, now);
}

/* Is the running thread owed more than any that waits in its queue? Between the queues, they have turns. */
static __always_inline bool stays(struct cpu_state *c, s32 cpu, struct task_struct *p, bool yielded)
{
	u64 now = bpf_ktime_get_ns(), vtime = p->scx.dsq_vtime, first = 0;
	u32 weight = running_weight(c);

	if ((is_bound(p) ? scx_bpf_dsq_nr_queued(shared_dsq(cpu)) > 0 : bound_wait(c, cpu)) ||
	    !compat_first_vtime(dsq_of(p), &first))
		return false;
	vtime += policy_vtime_delta(p->se.sum_exec_runtime - c->run.vtime_exec_ns, weight);
	vtime = entry_vtime(p, cpu, vtime, *clock_of(p));
	return policy_stays(vtime, first, weight, now - c->run.start_ns, yielded, &tunables);
}

SEC("struct_ops/dispatch")
void BPF_PROG(morpheus_dispatch, s32 cpu, struct task_struct *prev)
{
	struct cpu_state *c = cpu_state(cpu);
	bool on_rq = prev && (prev->scx.flags & SCX_VALUE(scx_ent_flags, SCX_TASK_QUEUED));
	u32 slot = running_worker(c), yielded = c->run.yielded, ended = c->run.ended;

	c->run.yielded = 0;
	c->run.ended = 0;
	/*
	 * The tick ends slices by setting them to 0. A slice that is 0 although nobody ended it comes
	 * from a kick that was meant for the thread before: it must not cost a worker its critical
	 * section, so the same judgement is made here, the last place before the CPU is given away.
	 */
	if (on_rq && slot && !yielded && !ended) {
		ended = judge_slice(prev, cpu, slot, bpf_ktime_get_ns());
		if (policy_goes_on(ended)) {
			prev->scx.slice = LEASE_NS;
			return;
		}
	}
	if (c->balance.helps && help(c))
		return;
	on_rq = on_rq && !is_out_of_time(prev);
	if (on_rq && policy_may_stay(ended) && stays(c, cpu, prev, yielded)) {
		if (slot)
			worker_of(slot)->slice_start_ns =
				policy_next_slice(worker_of(slot), bpf_ktime_get_ns());
		prev->scx.slice = slot ? LEASE_NS : tunables.slice_ns;
		return;
	}
	if (!take_next(c, cpu, on_rq ? prev : NULL) && on_rq)
		prev->scx.slice = tunables.slice_ns;
}

SEC("struct_ops/yield")
bool BPF_PROG(morpheus_yield, struct task_struct *from, struct task_struct *to)
{
	from->scx.slice = 0;
	cpu_state(bpf_get_smp_processor_id())->run.yielded = 1;
	return false;
}

/* Somebody waits in another LLC's queue who would run sooner here. */
OUT_OF_LINE void ask_for_balance(struct worker_lines *lines, u32 slot, u64 now)
{
	kernel_line_t *line = kernel_line(lines);

	if (line && policy_hint_imbalance(worker_of(slot), &tunables, now))
		give_hint(slot, line, MORPHEUS_HINT_IMBALANCE, now);
}

/* A late hint: the gate of escalation. True: the CPU is taken. */
static __always_inline bool escalate(struct task_struct *p, struct worker_lines *lines, s32 cpu,
				     u32 slot, u64 now)
{
	struct morpheus_worker_record *w = worker_of(slot);
	kernel_line_t *kernel = kernel_line(lines);
	runtime_line_t *runtime = runtime_line(lines);
	struct policy_claims claims;
	u64 seq = READ_ONCE(w->seq);
	u32 block;

	if (!kernel || !runtime || !policy_hint_late(w, &tunables, now))
		return false;
	claims = read_claims(runtime);
	block = policy_escalation_gate(mode, w, &claims, &tunables, now);
	if (block == MORPHEUS_BLOCK_NONE && READ_ONCE(w->ended_seq) >= seq)
		return false; /* withdrawn meanwhile; what else may be open is not late */
	if (block == MORPHEUS_BLOCK_NONE && policy_throttles(claims.policy)) {
		if (throttle_group(p, slot, now))
			w->throttles++;
		else if (!policy_kicks(claims.policy))
			block = MORPHEUS_BLOCK_CGROUP;
	}
	if (block != MORPHEUS_BLOCK_NONE) {
		if (w->blocked_seq != w->seq && block < MORPHEUS_BLOCK_COUNT) {
			w->blocked_seq = w->seq;
			w->blocked[block]++;
			emit(MORPHEUS_EVENT_BLOCKED, block, slot, now, now - w->hinted_at_ns);
		}
		return false;
	}
	w->escalations++;
	kernel->last_escalation_ns = now;
	if (policy_kicks(claims.policy))
		scx_bpf_kick_cpu(cpu, SCX_VALUE(scx_kick_flags, SCX_KICK_PREEMPT));
	emit(MORPHEUS_EVENT_ESCALATED, claims.policy, slot, now, now - w->hinted_at_ns);
	return true;
}

/*
 * On the thread's own CPU, in its interrupt. A slice of 0 set here makes the kernel reschedule before
 * the thread executes another instruction.
 */
SEC("struct_ops/tick")
void BPF_PROG(morpheus_tick, struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);
	struct cpu_state *c = cpu_state(cpu);
	bool out_of_time = charge_running(c, p);
	struct worker_lines *lines;
	u32 slot;
	u64 now;

	if (c->run.yielded)
		return; /* on its way out: a new slice would undo the yield */
	/* Who has a CPU to itself owes nothing for it to those who come later. */
	if (!contended(cpu))
		c->run.vtime_exec_ns = p->se.sum_exec_runtime;
	if (nr_llcs > 1)
		look_around(c, cpu, bpf_ktime_get_ns());
	slot = running_worker(c);
	lines = slot ? lines_of(p) : NULL;
	if (!lines || lines->slot != slot) {
		/* The kernel refills a lone thread's slice with its own long default. */
		if (out_of_time)
			p->scx.slice = 0;
		else if (p->scx.slice > tunables.slice_ns)
			p->scx.slice = tunables.slice_ns;
		return;
	}
	now = bpf_ktime_get_ns();
	if (c->balance.helps)
		ask_for_balance(lines, slot, now);
	/* A contender may have been taken elsewhere since the hint: nothing is taken for nobody. */
	if ((contended(cpu) && escalate(p, lines, cpu, slot, now)) ||
	    (out_of_time && stops_now(lines, slot, now)))
		c->run.ended = POLICY_SLICE_TAKEN;
	else
		c->run.ended = judge_slice(p, cpu, slot, now);
	if (policy_goes_on(c->run.ended)) {
		c->run.ended = 0;
		p->scx.slice = LEASE_NS;
	} else {
		p->scx.slice = 0;
	}
}

SEC("struct_ops/running")
void BPF_PROG(morpheus_running, struct task_struct *p)
{
	struct cpu_state *c = cpu_state(scx_bpf_task_cpu(p));
	u64 *clock = clock_of(p), place = p->scx.dsq_vtime, vtime;

	if (c->balance.helped && !is_bound(p))
		place += *clock - *shared_clock(c->balance.helped - 1);
	c->balance.helped = 0;
	vtime = policy_vtime_of(place, *clock);
	c->run.ahead = vtime != place;
	p->scx.dsq_vtime = vtime;
	/*
	 * Who gets the CPU back has what was left of its slice. Whoever was queued anew instead (when its CPUs or
	 * its nice value change, or the kernel bypasses us) has waited its turn, and begins a slice.
	 */
	c->displaced.resumed = p->scx.slice == c->displaced.slice ? c->displaced.slot : 0;
	c->displaced.slot = 0;
	/* Who comes from the queue was its first, and the clock follows; a turn that goes on tells nothing of who waits. */
	if (!c->run.ahead && !c->displaced.resumed && policy_vtime_before(*clock, vtime))
		*clock = vtime;
	c->run.vtime_exec_ns = c->run.groups_exec_ns = p->se.sum_exec_runtime;
	c->run.distance = vtime - *clock;
	c->run.weight = weight_of(p);
	c->run.start_ns = bpf_ktime_get_ns();
	c->run.yielded = 0;
	c->run.ended = 0;
}

SEC("struct_ops/stopping")
void BPF_PROG(morpheus_stopping, struct task_struct *p, bool runnable)
{
	struct cpu_state *c = cpu_state(scx_bpf_task_cpu(p));
	u64 ran = p->se.sum_exec_runtime - c->run.vtime_exec_ns;
	u32 weight = running_weight(c);

	p->scx.dsq_vtime += policy_vtime_delta(ran, weight);
	if (c->run.ahead)
		c->ahead_until = policy_charge_ahead(c->ahead_until, bpf_ktime_get_ns(), ran,
						     weight, &tunables);
	else if (c->turn.passed_over)
		c->turn.since_ns = passed_since(c, p, bpf_ktime_get_ns());
	c->run.start_ns = 0;
	charge_running(c, p);
	/* With time left only a higher class takes the CPU, and the kernel gives it back afterwards. */
	c->displaced.slot = runnable && p->scx.slice ? c->slot : 0;
	c->displaced.slice = p->scx.slice;
}

SEC("struct_ops/enable")
void BPF_PROG(morpheus_enable, struct task_struct *p)
{
	p->scx.dsq_vtime = *clock_of(p);
}

/*
 * The thread may have come to another queue, whose clock says nothing about what it owes. It pays a
 * whole slice, the most that it can have run since it was last charged: changing one's CPUs gains
 * nothing.
 */
SEC("struct_ops/set_cpumask")
void BPF_PROG(morpheus_set_cpumask, struct task_struct *p, const struct cpumask *mask)
{
	p->scx.dsq_vtime = *clock_of(p) + policy_vtime_delta(tunables.slice_ns, weight_of(p));
}

SEC("struct_ops.s/init")
s32 BPF_PROG(morpheus_init)
{
	s32 err = scx_bpf_create_dsq(PARKING_DSQ, NUMA_NO_NODE);
	int cpu, llc;

	bpf_for(llc, 0, nr_llcs) {
		if (!err)
			err = scx_bpf_create_dsq(SHARED_DSQ + llc, NUMA_NO_NODE);
	}
	bpf_for(cpu, 0, nr_cpus) {
		if (!err)
			err = scx_bpf_create_dsq(cpu, NUMA_NO_NODE);
	}
	if (!err) {
		scheduler_exit.cause = MORPHEUS_EXIT_NONE;
		mode = MORPHEUS_ENFORCED;
	}
	return err;
}

SEC("struct_ops/exit")
void BPF_PROG(morpheus_exit, struct scx_exit_info *info)
{
	mode = MORPHEUS_OBSERVER_ONLY;
	note_exit(info);
}

/* 6.17 brought this member; elsewhere the daemon clears it and reads cpu.max itself. */
SEC("struct_ops/cgroup_set_bandwidth")
void BPF_PROG(morpheus_cgroup_set_bandwidth, struct cgroup *cgrp, u64 period_us, u64 quota_us,
	      u64 burst_us)
{
	bool unbounded = quota_us > MORPHEUS_LONGEST_QUOTA_US;

	bound_group(cgrp->kn->id, unbounded ? 0 : quota_us * 1000, period_us * 1000);
}

/* All groups that there are, when the scheduler is attached, and each that comes later. */
SEC("struct_ops.s/cgroup_init")
s32 BPF_PROG(morpheus_cgroup_init, struct cgroup *cgrp, struct scx_cgroup_init_args *args)
{
	if (args->weight != POLICY_WEIGHT_UNIT)
		weigh_group(cgrp, args->weight);
	return 0;
}

SEC("struct_ops.s/cgroup_exit")
void BPF_PROG(morpheus_cgroup_exit, struct cgroup *cgrp)
{
	weigh_group(cgrp, POLICY_WEIGHT_UNIT);
}

SEC("struct_ops/cgroup_set_weight")
void BPF_PROG(morpheus_cgroup_set_weight, struct cgroup *cgrp, u32 weight)
{
	weigh_group(cgrp, weight);
}

SEC(".struct_ops.link")
struct sched_ext_ops morpheus_ops = {
	.select_cpu = (void *)morpheus_select_cpu,
	.enqueue = (void *)morpheus_enqueue,
	.dispatch = (void *)morpheus_dispatch,
	.tick = (void *)morpheus_tick,
	.yield = (void *)morpheus_yield,
	.running = (void *)morpheus_running,
	.stopping = (void *)morpheus_stopping,
	.enable = (void *)morpheus_enable,
	.set_cpumask = (void *)morpheus_set_cpumask,
	.cgroup_init = (void *)morpheus_cgroup_init,
	.cgroup_exit = (void *)morpheus_cgroup_exit,
	.cgroup_set_weight = (void *)morpheus_cgroup_set_weight,
	.cgroup_set_bandwidth = (void *)morpheus_cgroup_set_bandwidth,
	.init = (void *)morpheus_init,
	.exit = (void *)morpheus_exit,
	.flags = SCX_OPS_ENQ_LAST, /* a lone thread can be out of time, too */
	.timeout_ms = 10000,
	.name = "morpheus",
};
