/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the benchmark's threads tell an independent observer about themselves: plain C, so that a
 * tracing program can read it. One cache line for each thread; index 0 is the probe, 1 to N are the
 * workers. Each line is written by its own thread only.
 */
#ifndef MORPHEUS_BENCH_WITNESS_MARKS_H
#define MORPHEUS_BENCH_WITNESS_MARKS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define MORPHEUS_BENCH_PROBE 0u

struct morpheus_bench_mark {
	__u32 tid;         /* 0 until the thread runs */
	__u32 critical;    /* 1 inside a critical section */
	__u64 safe_points; /* taken so far */
	__u64 reserved[6];
} __attribute__((aligned(64)));

#endif
