/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What BPF tells the daemon of workers that keep threads waiting: a sample of the worker's user
 * stack while it does, and each wait when it is over. Private to the two, as proto/events.h is.
 */
#ifndef MORPHEUS_PROTO_BLAME_H
#define MORPHEUS_PROTO_BLAME_H

#include "proto/events.h"

#define MORPHEUS_BLAME_FRAMES 64u
#define MORPHEUS_NAME_BYTES 16u /* a thread's name, as the kernel keeps it: ended by a 0 */
#define MORPHEUS_BUILD_ID_BYTES 20u
#define MORPHEUS_BLAME_PER_SECOND 20u  /* samples of one worker */
#define MORPHEUS_UID_MIXED 0xffffffffu /* a thread that acts for more than one user */

/* Why a sample was taken. Each hint is worth one at most, for the first of these that happens. */
enum morpheus_blame_cause {
	MORPHEUS_BLAME_LATE = 1,    /* the hint's deadline passed */
	MORPHEUS_BLAME_HELD = 2,    /* a critical section holds the CPU past the end of the slice */
	MORPHEUS_BLAME_BLOCKED = 3, /* an escalation was due and could not be */
	MORPHEUS_BLAME_REMOVED = 4, /* it lost the CPU with a hint open for longer than the lead */
	MORPHEUS_BLAME_COUNT,
};

/* As the kernel fills it: struct bpf_stack_build_id. */
enum morpheus_frame_status {
	MORPHEUS_FRAME_EMPTY = 0,
	MORPHEUS_FRAME_BUILD_ID = 1, /* `at` is an offset in the file with this build id */
	MORPHEUS_FRAME_ADDRESS = 2,  /* `at` is an address in the process */
};

struct morpheus_blame_frame {
	__s32 status; /* enum morpheus_frame_status */
	__u8 build_id[MORPHEUS_BUILD_ID_BYTES];
	__u64 at;
};

enum morpheus_blame_kind { MORPHEUS_BLAME_SAMPLE = 1, MORPHEUS_BLAME_WAIT = 2 };

/* Which record it is, and about which hint of which worker: the same in both. */
struct morpheus_blame_head {
	__u32 kind; /* enum morpheus_blame_kind */
	__u32 slot;
	__u32 generation;
	__u32 uid; /* of the sampled thread, or of the one that waited */
	__u64 seq; /* the hint */
	__u64 time_ns;
};

struct morpheus_blame_sample {
	struct morpheus_blame_head head;
	__u64 age_ns;  /* since the hint */
	__u32 cause;   /* enum morpheus_blame_cause */
	__u32 skipped; /* hints of this worker since its last sample that got none, for the bound */
	__u32 cpu;
	__u32 critical;    /* depth of critical sections, as the worker claims */
	__s32 stack_bytes; /* of `frames`, the innermost first; negative: no stack */
	__u32 reserved;
	char thread[MORPHEUS_NAME_BYTES];
	struct morpheus_blame_frame frames[MORPHEUS_BLAME_FRAMES];
};

/* A thread got a CPU, having waited while the worker was sampled. */
struct morpheus_blame_wait {
	struct morpheus_blame_head head;
	__u64 waited_ns;
	__u64 cgroup_id;
	__u32 tid, pid; /* as the host numbers them */
	char thread[MORPHEUS_NAME_BYTES];
	char process[MORPHEUS_NAME_BYTES];
};

#endif
