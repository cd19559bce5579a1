/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a watcher thread sees of a loop: since when the current callback has run. It costs the
 * loop's thread one store; the watcher waits without the interpreter lock.
 *
 * A forked child has no watcher, whatever the parent's was doing at that moment. So the two meet in
 * semaphores, which hold no state of who waits, and the loop's thread knows whose watcher it was.
 */
#ifndef MORPHEUS_PYTHON_RUNNING_CALLBACK_H
#define MORPHEUS_PYTHON_RUNNING_CALLBACK_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct running_callback {
	uint64_t since_ns; /* CLOCK_MONOTONIC; 0 while none runs */
	bool is_closed;    /* the watcher is to end */
	sem_t closing;     /* posted when it is */
	sem_t ended;       /* posted when it has */
	pid_t watcher_pid; /* of the process that has the watcher; 0: there is none */
};

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

/// On the loop's thread, before its watcher starts.
void running_callback_open(struct running_callback *running);

/// On the loop's thread: ends the waits of the watcher, and waits until it has ended. Does nothing
/// if there is none, as in a forked child.
void running_callback_close(struct running_callback *running);

/// The watcher: blocks until a callback has run for `span_ns`: then true; or until closed: then
/// false.
bool running_callback_await(struct running_callback *running, uint64_t span_ns);

/// The watcher: blocks for `span_ns`; false at once when closed.
bool running_callback_pause(struct running_callback *running, uint64_t span_ns);

/// The watcher's last call.
void running_callback_leave(struct running_callback *running);

#endif
