/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SafePoints: what happens between two callbacks of an event loop. The object is in safe_points.c,
 * what it does between callbacks in between_callbacks.c.
 *
 * A loop of asyncio takes each callback from its deque of ready handles: popleft() here replaces
 * that of the deque, run_once() that of the loop. A loop of another make gets its callbacks wrapped
 * in call(). All are for the thread that runs the loop, but await_slow() and pause() are for a
 * watcher thread.
 */
#ifndef MORPHEUS_PYTHON_SAFE_POINTS_H
#define MORPHEUS_PYTHON_SAFE_POINTS_H

#include "sdk/python/src/core.h"
#include "sdk/python/src/running_callback.h"
#include "sdk/python/src/thread_times.h"

struct safe_points {
	PyObject_HEAD
	PyObject *next_ready;  /* bound popleft() of the loop's deque */
	PyObject *loop;        /* whose _run_once() is an iteration */
	PyObject *iteration;   /* its name */
	PyObject *sections;    /* list of (section, task) that async with holds */
	PyObject *on_slow;     /* called with the callback, its start and its times */
	PyObject *current;     /* the handle or callback that runs */
	uint64_t threshold_ns; /* 0: slow callbacks are not watched */
	uint64_t snapshot_age_ns;
	uint64_t start_ns; /* of the current callback */
	struct thread_times snapshot;
	uint64_t thread_number; /* whose snapshot and schedstat these are */
	int schedstat;
	unsigned int call_depth; /* call() inside call() belongs to the outer callback */
	unsigned long long callbacks;
	unsigned long long yields;
	struct running_callback running; /* what the watcher sees */
};

static inline struct safe_points *safe_points_of(PyObject *self)
{
	return (struct safe_points *)self;
}

/* between_callbacks.c: the methods of the same names */
PyObject *safe_points_popleft(PyObject *self, PyObject *none);
PyObject *safe_points_run_once(PyObject *self, PyObject *none);
PyObject *safe_points_call(PyObject *self, PyObject *args);

#endif
