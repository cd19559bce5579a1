/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one BPF object: both halves in one translation unit, because they share maps, per-CPU state and
 * inlined decisions. The daemon loads all of it and attaches the scheduler half in Enforced mode only.
 */
#include "lines.bpf.c"
#include "observer.bpf.c"
#include "scheduler.bpf.c"
#include "preemption.bpf.c"
#include "bandwidth.bpf.c"

char _license[] SEC("license") = "GPL";
