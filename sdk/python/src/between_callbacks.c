/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between two callbacks the thread acknowledges hints, suspends async critical sections of tasks
 * that do not run, and times the callback that ended.
 *
 * While slow callbacks are watched, a callback costs two more reads of the clock. The thread's
 * times are read at most every snapshot_age_ns, which bounds the error.
 *
 * A callback may run the loop again (nest_asyncio, for notebooks): then run_once() is called inside
 * a callback, which is suspended meanwhile, and timed anew when it goes on.
 */
#include <unistd.h>

#include "sdk/python/src/safe_points.h"

static void adopt_thread(struct safe_points *s)
{
	if (s->thread_number == thread_number())
		return;
	if (s->schedstat >= 0)
		close(s->schedstat);
	s->schedstat = thread_times_open();
	s->thread_number = thread_number();
	s->snapshot.wall_ns = 0;
}

/* False: what the report ended with is for the program, such as KeyboardInterrupt. */
static bool report_slow(struct safe_points *s)
{
	struct thread_times now;
	struct time_split split;
	PyObject *result;

	thread_times_read_again(s->schedstat, &s->snapshot, &now);
	split = thread_times_split(&s->snapshot, s->start_ns, &now);
	result = PyObject_CallFunction(s->on_slow, "OKKKKKO", s->current, s->start_ns,
				       split.wall_ns, split.on_cpu_ns, split.preempted_ns,
				       split.blocked_ns,
				       split.is_preempted_known ? Py_True : Py_False);
	if (!result && !PyErr_ExceptionMatches(PyExc_Exception))
		return false;
	if (!result)
		PyErr_WriteUnraisable(s->on_slow);
	Py_XDECREF(result);
	return true;
}

static bool end_callback(struct safe_points *s)
{
	bool is_well = true;

	if (s->sections) {
		held_sections_suspend(s->sections);
		if (PyList_Size(s->sections) == 0)
			Py_CLEAR(s->sections);
	}
	if (!s->current)
		return true;
	if (s->threshold_ns) {
		running_callback_set(&s->running, 0);
		if (monotonic_ns() - s->start_ns >= s->threshold_ns)
			is_well = report_slow(s);
	}
	Py_CLEAR(s->current);
	return is_well;
}

static void begin_callback(struct safe_points *s, PyObject *handle)
{
	Py_INCREF(handle);
	s->current = handle;
	if (s->sections)
		held_sections_resume(s->sections, handle);
	if (!s->threshold_ns)
		return;
	adopt_thread(s);
	s->start_ns = monotonic_ns();
	if (s->start_ns - s->snapshot.wall_ns > s->snapshot_age_ns)
		thread_times_read(s->schedstat, &s->snapshot);
	running_callback_set(&s->running, s->start_ns);
}

/* False: with an exception set. */
static bool between_callbacks(struct safe_points *s)
{
	bool is_well = end_callback(s);

	s->yields += safe_point();
	return is_well;
}

/* The same after `result` of what ran; NULL: it ended with an exception. */
static PyObject *after_callbacks(struct safe_points *s, PyObject *result)
{
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	if (between_callbacks(s)) {
		PyErr_Restore(type, value, traceback);
		return result;
	}
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(traceback);
	Py_XDECREF(result);
	return NULL;
}

PyObject *safe_points_popleft(PyObject *self, PyObject *none)
{
	struct safe_points *s = safe_points_of(self);
	PyObject *handle;

	(void)none;
	if (!between_callbacks(s))
		return NULL;
	handle = PyObject_CallFunctionObjArgs(s->next_ready, NULL);
	if (handle) {
		++s->callbacks;
		begin_callback(s, handle);
	}
	return handle;
}

/* By the loop's type, each time: there nest_asyncio puts another one. */
static PyObject *iterate(struct safe_points *s)
{
	PyObject *iteration = PyObject_GetAttr((PyObject *)Py_TYPE(s->loop), s->iteration);
	PyObject *result = NULL;

	if (iteration)
		result = PyObject_CallFunctionObjArgs(iteration, s->loop, NULL);
	Py_XDECREF(iteration);
	return result;
}

PyObject *safe_points_run_once(PyObject *self, PyObject *none)
{
	struct safe_points *s = safe_points_of(self);
	PyObject *outer = s->current, *result = NULL;

	(void)none;
	Py_XINCREF(outer);
	if (end_callback(s))
		result = iterate(s);
	result = after_callbacks(s, result);
	if (outer)
		begin_callback(s, outer);
	Py_XDECREF(outer);
	return result;
}

PyObject *safe_points_call(PyObject *self, PyObject *args)
{
	struct safe_points *s = safe_points_of(self);
	Py_ssize_t size = PyTuple_Size(args);
	PyObject *callback, *rest, *result;

	if (size < 1) {
		PyErr_SetString(PyExc_TypeError, "call() needs a callback");
		return NULL;
	}
	callback = PyTuple_GetItem(args, 0);
	rest = PyTuple_GetSlice(args, 1, size);
	if (!rest)
		return NULL;
	if (s->call_depth++ == 0) {
		(void)between_callbacks(s); /* none ran: only sections are suspended */
		++s->callbacks;
		begin_callback(s, callback);
	}
	result = PyObject_CallObject(callback, rest);
	if (--s->call_depth == 0)
		result = after_callbacks(s, result);
	Py_DECREF(rest);
	return result;
}
