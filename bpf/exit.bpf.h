/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the scheduler ended: the kernel's reason, message and dump, for the operator, and the cause,
 * from which the daemon decides whether to attach it again.
 */
#ifndef MORPHEUS_BPF_EXIT_BPF_H
#define MORPHEUS_BPF_EXIT_BPF_H

#include "state.bpf.h"

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

#endif
