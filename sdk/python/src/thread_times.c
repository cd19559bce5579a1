/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's time on a CPU comes from clock_gettime(). The time that it was runnable and waited is
 * in the kernel line, one load away, while a daemon watches the thread; and in
 * /proc/thread-self/schedstat, one system call away.
 */
#include "sdk/python/src/thread_times.h"

#include <fcntl.h>
#include <morpheus/morpheus.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

int thread_times_open(void)
{
	return open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
}

/* "on-CPU ns, waiting ns, slices" */
static bool read_schedstat(int schedstat, uint64_t *wait_ns)
{
	char text[128];
	char *rest;
	ssize_t size = schedstat < 0 ? -1 : pread(schedstat, text, sizeof(text) - 1, 0);

	if (size <= 0)
		return false;
	text[size] = '\0';
	(void)strtoull(text, &rest, 10);
	if (*rest != ' ')
		return false;
	*wait_ns = strtoull(rest, NULL, 10);
	return true;
}

static void read_schedstat_only(int schedstat, struct thread_times *out)
{
	out->source = read_schedstat(schedstat, &out->wait_ns) ? WAIT_FROM_SCHEDSTAT : WAIT_UNKNOWN;
	out->cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
	out->wall_ns = read_clock(CLOCK_MONOTONIC);
}

void thread_times_read(int schedstat, struct thread_times *out)
{
	struct morpheus_guidance guidance;

	/* A line without CPU time is not kept up to date: the thread has never been seen to run. */
	if (morpheus_get_guidance(&guidance) != MORPHEUS_OK || !guidance.source ||
	    !guidance.cpu_time_ns) {
		read_schedstat_only(schedstat, out);
		return;
	}
	out->wait_ns = guidance.wait_time_ns;
	out->source = guidance.source;
	out->cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
	out->wall_ns = read_clock(CLOCK_MONOTONIC);
}

void thread_times_read_again(int schedstat, const struct thread_times *before,
			     struct thread_times *out)
{
	if (before->source == WAIT_FROM_SCHEDSTAT)
		read_schedstat_only(schedstat, out);
	else
		thread_times_read(schedstat, out);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct time_split thread_times_split(const struct thread_times *before, uint64_t start_ns,
				     const struct thread_times *end)
{
	struct time_split split = {.wall_ns = end->wall_ns - start_ns};

	/* It is not known what was counted before start_ns: no part may exceed the whole. */
	split.on_cpu_ns = least(end->cpu_ns - before->cpu_ns, split.wall_ns);
	split.is_preempted_known = before->source == end->source && end->source != WAIT_UNKNOWN &&
				   end->wait_ns >= before->wait_ns;
	if (split.is_preempted_known)
		split.preempted_ns =
			least(end->wait_ns - before->wait_ns, split.wall_ns - split.on_cpu_ns);
	split.blocked_ns = split.wall_ns - split.on_cpu_ns - split.preempted_ns;
	return split;
}
