/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Blame, the part that is attached only while the daemon wants it: takes the user stack of a worker
 * that keeps threads waiting, and reports each of their waits when it is over.
 *
 * A sample is due from the moment at which a hint is late, a critical section holds the CPU past
 * its slice, an escalation is blocked, or the kernel takes the CPU from a worker that was asked for
 * it in vain (blame.bpf.h). All of these are noticed in an interrupt on the worker's own CPU, or
 * when it is about to lose that CPU. So the sample is taken at the end of
 * the timer that noticed it, or at the switch: the worker is the current thread still, and its user
 * registers are those of the code that it was in.
 */
#include "blame.bpf.h"
#include "runs.bpf.h"

#define BPF_F_USER_STACK (1ULL << 8)
#define BPF_F_USER_BUILD_ID (1ULL << 11)
#define BLAME_RING_BYTES (1 << 18)

/* Of its own: nothing here can crowd out what hints and escalations report. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, BLAME_RING_BYTES);
} blames SEC(".maps");

__u64 blames_dropped;

/* A sample without a noted waiter: other threads were queued. The next to run is one of them. */
struct blame_open {
	u64 since_ns;
	u64 seq;
	u32 slot; /* 0: none */
	u32 generation;
};
static struct blame_open blame_opens[MORPHEUS_MAX_CPUS];

/* As for events: the daemon would be a waiter itself if each record woke it. */
static __always_inline u64 blame_wakeup(void)
{
	return bpf_ringbuf_query(&blames, BPF_RB_AVAIL_DATA) > BLAME_RING_BYTES / 4
		       ? BPF_RB_FORCE_WAKEUP
		       : BPF_RB_NO_WAKEUP;
}

/* The user that a thread acts for; only root may look at one that acts for several. */
static __always_inline u32 uid_of(struct task_struct *p)
{
	u32 uid = p->real_cred->uid.val;

	if (p->real_cred->euid.val != uid || p->real_cred->suid.val != uid)
		return MORPHEUS_UID_MIXED;
	return uid;
}

static __always_inline void name_of(struct task_struct *p, char *name)
{
	bpf_probe_read_kernel_str(name, MORPHEUS_NAME_BYTES, p->comm);
}

static __always_inline struct morpheus_blame_head blame_head(u32 kind, u32 slot, u32 generation,
							     u32 uid, u64 seq)
{
	return (struct morpheus_blame_head){
		.kind = kind,
		.slot = slot,
		.generation = generation,
		.uid = uid,
		.seq = seq,
		.time_ns = bpf_ktime_get_ns(),
	};
}

/* Ties the thread, if it waits, to the worker that is sampled: the first one keeps it. */
static __always_inline bool tie_waiter(u32 pid, u32 slot, u64 seq)
{
	struct blame_waiter *waiter = pid ? bpf_map_lookup_elem(&blame_waiters, &pid) : NULL;

	if (!waiter || waiter->since_ns < blame_since_ns)
		return false;
	if (!waiter->slot) {
		waiter->seq = seq;
		waiter->generation = worker_of(slot)->generation;
		waiter->slot = slot;
	}
	return true;
}

/* `next`: the thread that is about to get the CPU, which is no longer noted as a waiter; or 0. */
OUT_OF_LINE void tie_waiters(u32 cpu, u32 slot, u64 seq, u32 next)
{
	struct cpu_state *c = cpu_state(cpu);
	struct blame_open *open = &blame_opens[cpu & (MORPHEUS_MAX_CPUS - 1)];
	bool tied = tie_waiter(next, slot, seq);

	NO_UNROLL
	for (int i = 0; i < MAX_WAITING; i++)
		tied |= tie_waiter(READ_ONCE(c->waiters.pids[i]), slot, seq);
	open->slot = tied ? 0 : slot;
	open->seq = seq;
	open->generation = worker_of(slot)->generation;
	open->since_ns = worker_of(slot)->hinted_at_ns;
}

static __always_inline void fill_sample(struct morpheus_blame_sample *s, struct task_struct *p,
					struct worker_lines *lines, const struct blame_due *due)
{
	u32 slot = lines->slot;
	struct morpheus_worker_record *w = worker_of(slot);
	struct blame_bound *b = &blame_bounds[slot & (MORPHEUS_MAX_WORKERS - 1)];
	runtime_line_t *runtime = runtime_line(lines);

	s->head = blame_head(MORPHEUS_BLAME_SAMPLE, slot, w->generation, uid_of(p), due->seq);
	s->age_ns = s->head.time_ns - w->hinted_at_ns;
	s->cause = due->cause;
	s->skipped = b->skipped;
	b->skipped = 0;
	s->cpu = bpf_get_smp_processor_id();
	s->critical = runtime ? READ_ONCE(runtime->is_in_critical_section) : 0;
	s->reserved = 0;
	name_of(p, s->thread);
}

/* Takes the sample that is due on this CPU, if its worker is the current thread. */
static __always_inline void take_sample(void *ctx, u32 next)
{
	u32 cpu = bpf_get_smp_processor_id(), slot;
	struct blame_due *due = blame_due_on(cpu);
	struct task_struct *p;
	struct worker_lines *lines;
	struct morpheus_blame_sample *s;

	slot = READ_ONCE(due->slot);
	if (!slot)
		return;
	due->slot = 0;
	p = bpf_get_current_task_btf();
	lines = lines_of(p);
	if (!lines || lines->slot != slot)
		return;
	tie_waiters(cpu, slot, due->seq, next);
	s = bpf_ringbuf_reserve(&blames, sizeof(*s), 0);
	if (!s) {
		__sync_fetch_and_add(&blames_dropped, 1);
		return;
	}
	fill_sample(s, p, lines, due);
	s->stack_bytes = bpf_get_stack(ctx, s->frames, sizeof(s->frames),
				       BPF_F_USER_STACK | BPF_F_USER_BUILD_ID);
	bpf_ringbuf_submit(s, blame_wakeup());
}

static __always_inline void report_wait(struct task_struct *p, const struct blame_waiter *waiter)
{
	u64 now = bpf_ktime_get_ns();
	struct morpheus_blame_wait *w = bpf_ringbuf_reserve(&blames, sizeof(*w), 0);

	if (!w) {
		__sync_fetch_and_add(&blames_dropped, 1);
		return;
	}
	w->head = blame_head(MORPHEUS_BLAME_WAIT, waiter->slot, waiter->generation, uid_of(p),
			     waiter->seq);
	w->waited_ns = now - waiter->since_ns;
	w->cgroup_id = read_only(p)->cgroups->dfl_cgrp->kn->id;
	w->tid = p->pid;
	w->pid = p->tgid;
	name_of(p, w->thread);
	name_of(read_only(p)->group_leader, w->process);
	bpf_ringbuf_submit(w, blame_wakeup());
}

/* `next` gets the CPU: its wait is over. */
OUT_OF_LINE void end_blamed_wait(struct task_struct *next, u32 cpu)
{
	struct blame_open *open = &blame_opens[cpu & (MORPHEUS_MAX_CPUS - 1)];
	u32 pid = next->pid;
	struct blame_waiter *waiter = pid ? bpf_map_lookup_elem(&blame_waiters, &pid) : NULL;
	struct blame_waiter ended = {};

	if (waiter) {
		ended = *waiter;
		bpf_map_delete_elem(&blame_waiters, &pid);
	} else if (open->slot && pid && !(next->flags & PF_KTHREAD)) {
		ended.slot = open->slot;
		ended.seq = open->seq;
		ended.generation = open->generation;
		ended.since_ns = open->since_ns;
	}
	if (ended.slot && ended.since_ns >= blame_since_ns)
		report_wait(next, &ended);
	open->slot = 0;
}

/* On the CPU whose timer has expired, still in its interrupt. */
SEC("tp_btf/hrtimer_expire_exit")
int BPF_PROG(on_timer_exit, struct hrtimer *timer)
{
	take_sample(ctx, 0);
	return 0;
}

/* Attached after on_switch, and so called after it: what it noted is known here. */
SEC("tp_btf/sched_switch")
int BPF_PROG(on_blamed_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	take_sample(ctx, next->pid);
	end_blamed_wait(next, bpf_get_smp_processor_id());
	return 0;
}
