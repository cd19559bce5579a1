/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loop does not notify the watcher that a callback has begun, since that would cost it time.
 * The watcher looks now and then, so that no callback can run for twice the span unseen.
 */
#include "sdk/python/src/running_callback.h"

#include <time.h>

#include "sdk/python/src/core.h"

void running_callback_init(struct running_callback *running)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&running->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&running->closing, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void running_callback_destroy(struct running_callback *running)
{
	pthread_cond_destroy(&running->closing);
	pthread_mutex_destroy(&running->lock);
}

/* Whether a callback has run for so long. Under the lock, which it gives up while it waits. */
static bool is_long_or_wait(struct running_callback *running, uint64_t span_ns)
{
	uint64_t since = running_callback_since(running);
	uint64_t now = monotonic_ns();
	uint64_t due = (since ? since : now) + span_ns;
	struct timespec until = {.tv_sec = (time_t)(due / NS_PER_SECOND),
				 .tv_nsec = (long)(due % NS_PER_SECOND)};

	if (due <= now)
		return true;
	pthread_cond_timedwait(&running->closing, &running->lock, &until);
	return false;
}

bool running_callback_await(struct running_callback *running, uint64_t span_ns)
{
	bool is_long = false;

	pthread_mutex_lock(&running->lock);
	while (!running->is_closed && !is_long)
		is_long = is_long_or_wait(running, span_ns);
	pthread_mutex_unlock(&running->lock);
	return is_long;
}

void running_callback_set_closed(struct running_callback *running, bool is_closed)
{
	pthread_mutex_lock(&running->lock);
	running->is_closed = is_closed;
	pthread_cond_broadcast(&running->closing);
	pthread_mutex_unlock(&running->lock);
}
