/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a thread's time went, as the kernel counts it.
 */
#ifndef MORPHEUS_PYTHON_THREAD_TIMES_H
#define MORPHEUS_PYTHON_THREAD_TIMES_H

#include <stdbool.h>
#include <stdint.h>

struct thread_times {
	uint64_t wall_ns; /* CLOCK_MONOTONIC */
	uint64_t cpu_ns;  /* on a CPU */
	uint64_t wait_ns; /* runnable, without a CPU */
	uint32_t source;  /* of wait_ns; times of different sources do not compare */
};

enum {
	WAIT_UNKNOWN = 0,
	WAIT_FROM_SCHEDSTAT = ~0u, /* anything between is morpheus_guidance.source */
};

/// An open file of the calling thread, for thread_times_read(); -1 if the kernel does not offer it.
int thread_times_open(void);

/// Reads the calling thread's times. The wait comes from the kernel line if a daemon watches the
/// thread, else from `schedstat`, which the thread has from thread_times_open().
void thread_times_read(int schedstat, struct thread_times *out);

/// The same, from the source that `before` was read from, if it still can be read.
void thread_times_read_again(int schedstat, const struct thread_times *before,
			     struct thread_times *out);

struct time_split {
	uint64_t wall_ns, on_cpu_ns, preempted_ns,
		blocked_ns;      /* the first is the sum of the others */
	bool is_preempted_known; /* if not, blocked_ns holds that time, too */
};

/// Splits the time from `start_ns` to `end`; `before` was read at most a little before `start_ns`.
struct time_split thread_times_split(const struct thread_times *before, uint64_t start_ns,
				     const struct thread_times *end);

#endif
