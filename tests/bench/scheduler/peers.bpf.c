/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The peers beside which Morpheus' programs are measured: the least that a sched_ext scheduler can
 * do (first come, first served, from one queue for all), tracing programs that do nothing, and one
 * that only counts a time as the observer counts a wait.
 */
#include "bpf/compat.bpf.h"
#include "proto/events.h"

#define FIFO_DSQ (1ull << 32)
#define FIFO_SLICE_NS 5000000ull /* as long as Morpheus' default */

SEC("struct_ops/select_cpu")
s32 BPF_PROG(fifo_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	bool idle = 0;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle)
		compat_insert(p, SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL), FIFO_SLICE_NS, 0);
	return cpu;
}

SEC("struct_ops/enqueue")
void BPF_PROG(fifo_enqueue, struct task_struct *p, u64 enq_flags)
{
	compat_insert(p, FIFO_DSQ, FIFO_SLICE_NS, enq_flags);
}

SEC("struct_ops/dispatch")
void BPF_PROG(fifo_dispatch, s32 cpu, struct task_struct *prev)
{
	compat_move_to_local(FIFO_DSQ);
}

SEC("struct_ops.s/init")
s32 BPF_PROG(fifo_init)
{
	return scx_bpf_create_dsq(FIFO_DSQ, NUMA_NO_NODE);
}

SEC(".struct_ops.link")
struct sched_ext_ops fifo_ops = {
	.select_cpu = (void *)fifo_select_cpu,
	.enqueue = (void *)fifo_enqueue,
	.dispatch = (void *)fifo_dispatch,
	.init = (void *)fifo_init,
	.name = "fifo",
};

SEC("tp_btf/sched_switch")
int BPF_PROG(empty_switch)
{
	return 0;
}

static struct morpheus_time_counts counts_of[MORPHEUS_MAX_CPUS];

/* Counts any time that varies: reading a clock would not be part of the counting. */
SEC("tp_btf/sched_switch")
int BPF_PROG(counting_switch, bool preempt, struct task_struct *prev)
{
	morpheus_count_time(&counts_of[bpf_get_smp_processor_id() & (MORPHEUS_MAX_CPUS - 1)],
			    prev->se.sum_exec_runtime & 0xffffff);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(empty_wakeup)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
