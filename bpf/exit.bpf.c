/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the scheduler ended: the kernel's reason, message and dump, for the operator, and the cause,
 * from which the daemon decides whether to attach it again. And what this scheduler adds to the
 * kernel's dump, which an operator can have at any time by sysrq-D. The kernel asks for that with
 * runqueues locked: it only reads.
 */
#include "bandwidth.bpf.h"
#include "queues.bpf.h"
#include "weights.bpf.h"

static __always_inline u32 exit_cause(struct scx_exit_info *info)
{
	if (info->kind == SCX_VALUE(scx_exit_kind, SCX_EXIT_UNREG))
		return MORPHEUS_EXIT_DETACHED;
	if (info->kind == SCX_VALUE(scx_exit_kind, SCX_EXIT_SYSRQ))
		return MORPHEUS_EXIT_ORDERED;
	if (info->kind == SCX_VALUE(scx_exit_kind, SCX_EXIT_UNREG_KERN) &&
	    (info->exit_code & SCX_VALUE(scx_exit_code, SCX_ECODE_ACT_RESTART)))
		return MORPHEUS_EXIT_RESTART;
	return MORPHEUS_EXIT_EJECTED;
}

static __always_inline void note_exit(struct scx_exit_info *info)
{
	struct morpheus_scheduler_exit *noted = &scheduler_exit;

	bpf_probe_read_kernel_str(noted->reason, sizeof(noted->reason), info->reason);
	bpf_probe_read_kernel_str(noted->message, sizeof(noted->message), info->msg);
	bpf_probe_read_kernel_str(noted->dump, sizeof(noted->dump), info->dump);
	noted->code = info->exit_code;
	noted->time_ns = bpf_ktime_get_ns();
	WRITE_ONCE(noted->cause, exit_cause(info)); /* last: the daemon waits for this */
}

SEC("struct_ops/exit")
void BPF_PROG(morpheus_exit, struct scx_exit_info *info)
{
	mode = MORPHEUS_OBSERVER_ONLY;
	note_exit(info);
}

/* Numbers only, each as 64 bits. */
#define dump_line(format, numbers...)                                                              \
	({                                                                                         \
		static char text[] = format "\n";                                                  \
		u64 values[] = {numbers};                                                          \
                                                                                                   \
		scx_bpf_dump_bstr(text, values, sizeof(values));                                   \
	})

SEC("struct_ops/dump")
void BPF_PROG(morpheus_dump, struct scx_dump_ctx *dump)
{
	dump_line("%llu workers, %llu groups with a bound, %lld threads parked", (u64)nr_workers,
		  (u64)nr_bounded, (u64)scx_bpf_dsq_nr_queued(PARKING_DSQ));
	dump_line("slice %llu ns, hint lead %llu ns, grace %llu ns, hold cap %llu ns",
		  tunables.slice_ns, tunables.hint_lead_ns, tunables.grace_ns,
		  tunables.hold_cap_ns);
}

SEC("struct_ops/dump_cpu")
void BPF_PROG(morpheus_dump_cpu, struct scx_dump_ctx *dump, s32 cpu, bool idle)
{
	struct cpu_state *c = cpu_state(cpu);

	if (idle)
		return;
	dump_line("worker %llu; waiters %llu; run of %lld ns, weight %llu", (u64)running_worker(c),
		  (u64)c->waiters.count, c->run.start_ns ? bpf_ktime_get_ns() - c->run.start_ns : 0,
		  (u64)c->run.weight);
	dump_line("bound threads: %lld, clock %llu; shared queue: %lld, clock %llu",
		  (u64)scx_bpf_dsq_nr_queued(cpu), c->bound.clock.now,
		  (u64)scx_bpf_dsq_nr_queued(shared_dsq(cpu)), shared_clock(llc_of_cpu(cpu))->now);
}

SEC("struct_ops/dump_task")
void BPF_PROG(morpheus_dump_task, struct scx_dump_ctx *dump, struct task_struct *p)
{
	struct worker_lines *lines = lines_of(p);
	u64 clock = clock_of(p)->now, vtime = policy_vtime_of(p->scx.dsq_vtime, clock);

	dump_line("owes %lld ns of virtual time, weight %llu of %llu, worker %llu", vtime - clock,
		  (u64)weight_of(p), (u64)POLICY_WEIGHT_UNIT, lines ? (u64)lines->slot : 0);
}
