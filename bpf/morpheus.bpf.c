/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one BPF object: both halves in one translation unit, because they share maps, per-CPU state
 * and inlined decisions. The daemon loads all of it and attaches the scheduler half in Enforced
 * mode only.
 */
#include "observer.bpf.c"
#include "placement.bpf.c"
#include "exit.bpf.c"
#include "scheduler.bpf.c"
#include "calls.bpf.c"
#include "blame.bpf.c"

char _license[] SEC("license") = "GPL";
