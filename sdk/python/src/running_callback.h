/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a watcher thread sees of a loop: since when the current callback has run. It costs the
 * loop's thread one store; the watcher waits without the interpreter lock.
 */
#ifndef MORPHEUS_PYTHON_RUNNING_CALLBACK_H
#define MORPHEUS_PYTHON_RUNNING_CALLBACK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct running_callback {
	uint64_t since_ns;    /* CLOCK_MONOTONIC; 0 while none runs */
	pthread_mutex_t lock; /* of is_closed */
	pthread_cond_t closing;
	bool is_closed;
};

void running_callback_init(struct running_callback *running);
void running_callback_destroy(struct running_callback *running);

/// On the loop's thread: a callback began at `since_ns`, or, with 0, has ended.
static inline void running_callback_set(struct running_callback *running, uint64_t since_ns)
{
	__atomic_store_n(&running->since_ns, since_ns, __ATOMIC_RELAXED);
}

/// Any thread.
static inline uint64_t running_callback_since(const struct running_callback *running)
{
	return __atomic_load_n(&running->since_ns, __ATOMIC_RELAXED);
}

/// Blocks until a callback has run for `span_ns`: then true; or until closed: then false.
bool running_callback_await(struct running_callback *running, uint64_t span_ns);

/// Ends running_callback_await(), on any thread, until it is opened again.
void running_callback_set_closed(struct running_callback *running, bool is_closed);

#endif
