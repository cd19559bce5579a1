/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loop does not notify the watcher that a callback has begun, since that would cost it time.
 * The watcher looks now and then, so that no callback can run for twice the span unseen.
 */
#include "sdk/python/src/running_callback.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "sdk/python/src/core.h"

void running_callback_open(struct running_callback *running)
{
	sem_init(&running->closing, 0, 0);
	sem_init(&running->ended, 0, 0);
	__atomic_store_n(&running->is_closed, false, __ATOMIC_RELEASE);
	running->watcher_pid = getpid();
}

void running_callback_close(struct running_callback *running)
{
	if (running->watcher_pid != getpid())
		return;
	running->watcher_pid = 0;
	__atomic_store_n(&running->is_closed, true, __ATOMIC_RELEASE);
	sem_post(&running->closing);
	while (sem_wait(&running->ended) != 0 && errno == EINTR)
		;
}

/* Whether `due_ns` came before the end of the watch. */
static bool wait_until(struct running_callback *running, uint64_t due_ns)
{
	struct timespec until = {.tv_sec = (time_t)(due_ns / NS_PER_SECOND),
				 .tv_nsec = (long)(due_ns % NS_PER_SECOND)};

	while (!__atomic_load_n(&running->is_closed, __ATOMIC_ACQUIRE))
		if (sem_clockwait(&running->closing, CLOCK_MONOTONIC, &until) != 0 &&
		    errno != EINTR)
			return true;
	return false;
}

bool running_callback_await(struct running_callback *running, uint64_t span_ns)
{
	uint64_t since, due, now;

	do {
		since = running_callback_since(running);
		now = monotonic_ns();
		due = (since ? since : now) + span_ns;
		if (since && due <= now)
			return !__atomic_load_n(&running->is_closed, __ATOMIC_ACQUIRE);
	} while (wait_until(running, due));
	return false;
}

bool running_callback_pause(struct running_callback *running, uint64_t span_ns)
{
	return wait_until(running, monotonic_ns() + span_ns);
}

void running_callback_leave(struct running_callback *running)
{
	sem_post(&running->ended);
}
