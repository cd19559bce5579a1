/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SafePoints: what happens between two callbacks of an event loop. The thread acknowledges hints,
 * suspends async critical sections of tasks that do not run, and times the callback that ended.
 *
 * A loop of asyncio takes each callback from its deque of ready handles: popleft() here replaces
 * that of the deque, run_once() that of the loop. A loop of another make gets its callbacks wrapped
 * in call(). All are for the thread that runs the loop, but await_slow() is for a watcher thread.
 *
 * While slow callbacks are watched, a callback costs two more reads of the clock. The thread's
 * times are read at most every snapshot_age_ns, which bounds the error.
 */
#include "sdk/python/src/core.h"

#include <structmember.h>
#include <unistd.h>

#include "sdk/python/src/running_callback.h"
#include "sdk/python/src/thread_times.h"

#define SNAPSHOTS_PER_THRESHOLD 32

struct safe_points {
	PyObject_HEAD
	PyObject *next_ready;  /* bound popleft() of the loop's deque */
	PyObject *iteration;   /* the loop's own _run_once() */
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

static struct safe_points *cast(PyObject *self)
{
	return (struct safe_points *)self;
}

/* --- the boundary between two callbacks ------------------------------------------------------- */

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

static void report_slow(struct safe_points *s)
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
	if (!result)
		PyErr_WriteUnraisable(s->on_slow);
	Py_XDECREF(result);
}

static void end_callback(struct safe_points *s)
{
	if (s->sections) {
		held_sections_suspend(s->sections);
		if (PyList_Size(s->sections) == 0)
			Py_CLEAR(s->sections);
	}
	if (!s->current)
		return;
	if (s->threshold_ns) {
		running_callback_set(&s->running, 0);
		if (monotonic_ns() - s->start_ns >= s->threshold_ns)
			report_slow(s);
	}
	Py_CLEAR(s->current);
}

static void begin_callback(struct safe_points *s, PyObject *handle)
{
	++s->callbacks;
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

static void between_callbacks(struct safe_points *s)
{
	end_callback(s);
	s->yields += safe_point();
}

static PyObject *popleft(PyObject *self, PyObject *none)
{
	struct safe_points *s = cast(self);
	PyObject *handle;

	(void)none;
	between_callbacks(s);
	handle = PyObject_CallFunctionObjArgs(s->next_ready, NULL);
	if (handle)
		begin_callback(s, handle);
	return handle;
}

static PyObject *run_once(PyObject *self, PyObject *none)
{
	struct safe_points *s = cast(self);
	PyObject *result = PyObject_CallFunctionObjArgs(s->iteration, NULL);
	PyObject *type, *value, *traceback;

	(void)none;
	PyErr_Fetch(&type, &value, &traceback);
	between_callbacks(s);
	PyErr_Restore(type, value, traceback);
	return result;
}

static PyObject *call(PyObject *self, PyObject *args)
{
	struct safe_points *s = cast(self);
	Py_ssize_t size = PyTuple_Size(args);
	PyObject *callback, *rest, *result, *type, *value, *traceback;

	if (size < 1) {
		PyErr_SetString(PyExc_TypeError, "call() needs a callback");
		return NULL;
	}
	callback = PyTuple_GetItem(args, 0);
	rest = PyTuple_GetSlice(args, 1, size);
	if (!rest)
		return NULL;
	if (s->call_depth++ == 0) {
		between_callbacks(s);
		begin_callback(s, callback);
	}
	result = PyObject_CallObject(callback, rest);
	if (--s->call_depth == 0) {
		PyErr_Fetch(&type, &value, &traceback);
		between_callbacks(s);
		PyErr_Restore(type, value, traceback);
	}
	Py_DECREF(rest);
	return result;
}

/* --- the rest of the object's life ------------------------------------------------------------ */

static PyObject *hold(PyObject *self, PyObject *pair)
{
	struct safe_points *s = cast(self);

	if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2) {
		PyErr_SetString(PyExc_TypeError, "hold() needs (section, task)");
		return NULL;
	}
	if (!s->sections && !(s->sections = PyList_New(0)))
		return NULL;
	if (PyList_Append(s->sections, pair) != 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *bind(PyObject *self, PyObject *args)
{
	struct safe_points *s = cast(self);
	PyObject *next_ready, *iteration;

	if (!PyArg_ParseTuple(args, "OO:bind", &next_ready, &iteration))
		return NULL;
	Py_INCREF(next_ready);
	Py_INCREF(iteration);
	Py_XDECREF(s->next_ready);
	Py_XDECREF(s->iteration);
	s->next_ready = next_ready;
	s->iteration = iteration;
	Py_RETURN_NONE;
}

static PyObject *watch(PyObject *self, PyObject *args)
{
	struct safe_points *s = cast(self);
	PyObject *on_slow;
	double threshold;

	if (!PyArg_ParseTuple(args, "dO:watch", &threshold, &on_slow))
		return NULL;
	if (!(threshold >= 1e-4 && threshold <= 3600)) {
		PyErr_SetString(PyExc_ValueError, "the threshold must be 0.0001 to 3600 seconds");
		return NULL;
	}
	Py_INCREF(on_slow);
	Py_XDECREF(s->on_slow);
	s->on_slow = on_slow;
	s->threshold_ns = (uint64_t)(threshold * NS_PER_SECOND);
	s->snapshot_age_ns = s->threshold_ns / SNAPSHOTS_PER_THRESHOLD;
	Py_RETURN_NONE;
}

static PyObject *await_slow(PyObject *self, PyObject *none)
{
	struct safe_points *s = cast(self);
	bool is_slow;

	(void)none;
	Py_BEGIN_ALLOW_THREADS is_slow = running_callback_await(&s->running, s->threshold_ns / 2);
	Py_END_ALLOW_THREADS return PyBool_FromLong(is_slow);
}

static PyObject *running_since(PyObject *self, PyObject *none)
{
	(void)none;
	return PyLong_FromUnsignedLongLong(running_callback_since(&cast(self)->running));
}

static PyObject *start_watching(PyObject *self, PyObject *none)
{
	(void)none;
	running_callback_set_closed(&cast(self)->running, false);
	Py_RETURN_NONE;
}

static PyObject *stop_watching(PyObject *self, PyObject *none)
{
	(void)none;
	running_callback_set_closed(&cast(self)->running, true);
	Py_RETURN_NONE;
}

static PyObject *safe_points_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	struct safe_points *s = cast(PyType_GenericAlloc(type, 0));

	(void)args, (void)kwargs;
	if (!s)
		return NULL;
	s->schedstat = -1;
	running_callback_init(&s->running);
	return (PyObject *)s;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	struct safe_points *s = cast(self);

	Py_VISIT(Py_TYPE(self));
	Py_VISIT(s->next_ready);
	Py_VISIT(s->iteration);
	Py_VISIT(s->sections);
	Py_VISIT(s->on_slow);
	Py_VISIT(s->current);
	return 0;
}

static int clear(PyObject *self)
{
	struct safe_points *s = cast(self);

	Py_CLEAR(s->next_ready);
	Py_CLEAR(s->iteration);
	Py_CLEAR(s->sections);
	Py_CLEAR(s->on_slow);
	Py_CLEAR(s->current);
	return 0;
}

static void dealloc(PyObject *self)
{
	struct safe_points *s = cast(self);
	PyTypeObject *type = Py_TYPE(self);

	PyObject_GC_UnTrack(self);
	clear(self);
	if (s->schedstat >= 0)
		close(s->schedstat);
	running_callback_destroy(&s->running);
	PyObject_GC_Del(self);
	Py_DECREF(type);
}

static PyMethodDef methods[] = {
	{"popleft", popleft, METH_NOARGS,
	 "The loop's next ready handle; a safe point comes before it."},
	{"run_once", run_once, METH_NOARGS,
	 "One iteration of the loop; a safe point comes after it."},
	{"call", call, METH_VARARGS, "call(callback, *args): calls it between two safe points."},
	{"hold", hold, METH_O,
	 "hold((section, task)): the section is suspended whenever the task is."},
	{"bind", bind, METH_VARARGS,
	 "bind(popleft, run_once): the loop's own, which these replace."},
	{"watch", watch, METH_VARARGS,
	 "watch(threshold, on_slow): reports callbacks that take longer."},
	{"await_slow", await_slow, METH_NOARGS,
	 "Blocks, without the interpreter lock, until a callback has run for half of the "
	 "threshold: then\nTrue; or until stop_watching(): then False. For a watcher thread."},
	{"running_since", running_since, METH_NOARGS,
	 "When the callback that runs began, CLOCK_MONOTONIC ns; or 0."},
	{"start_watching", start_watching, METH_NOARGS,
	 "Lets await_slow() wait, after stop_watching()."},
	{"stop_watching", stop_watching, METH_NOARGS, "Ends await_slow()."},
	{NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
	{"callbacks", T_ULONGLONG, offsetof(struct safe_points, callbacks), READONLY,
	 "callbacks run so far"},
	{"yields", T_ULONGLONG, offsetof(struct safe_points, yields), READONLY,
	 "times the CPU was given up"},
	{NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
	{Py_tp_new, safe_points_new},
	{Py_tp_dealloc, dealloc},
	{Py_tp_traverse, traverse},
	{Py_tp_clear, clear},
	{Py_tp_methods, methods},
	{Py_tp_members, members},
	{0, NULL},
};

PyType_Spec safe_points_spec = {
	.name = "morpheus._core.SafePoints",
	.basicsize = sizeof(struct safe_points),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.slots = slots,
};
