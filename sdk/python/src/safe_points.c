/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The object SafePoints: its life, and how its slow callbacks are watched.
 */
#include "sdk/python/src/safe_points.h"

#include <structmember.h>
#include <unistd.h>

#define SNAPSHOTS_PER_THRESHOLD 32

static PyObject *hold(PyObject *self, PyObject *pair)
{
	struct safe_points *s = safe_points_of(self);

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

/* Unknown is taken for yes. */
static PyObject *is_in_step_of(PyObject *self, PyObject *task)
{
	PyObject *current = safe_points_of(self)->current;

	return PyBool_FromLong(!current || is_step_of(current, task));
}

static PyObject *bind(PyObject *self, PyObject *args)
{
	struct safe_points *s = safe_points_of(self);
	PyObject *next_ready, *loop;

	if (!PyArg_ParseTuple(args, "OO:bind", &next_ready, &loop))
		return NULL;
	if (!s->iteration && !(s->iteration = PyUnicode_InternFromString("_run_once")))
		return NULL;
	Py_INCREF(next_ready);
	Py_INCREF(loop);
	Py_XDECREF(s->next_ready);
	Py_XDECREF(s->loop);
	s->next_ready = next_ready;
	s->loop = loop;
	Py_RETURN_NONE;
}

static PyObject *watch(PyObject *self, PyObject *args)
{
	struct safe_points *s = safe_points_of(self);
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
	Py_CLEAR(s->current); /* one that runs already began untimed */
	s->threshold_ns = (uint64_t)(threshold * NS_PER_SECOND);
	s->snapshot_age_ns = s->threshold_ns / SNAPSHOTS_PER_THRESHOLD;
	Py_RETURN_NONE;
}

static PyObject *unwatch(PyObject *self, PyObject *none)
{
	struct safe_points *s = safe_points_of(self);

	(void)none;
	s->threshold_ns = 0;
	running_callback_set(&s->running, 0);
	Py_CLEAR(s->on_slow);
	Py_RETURN_NONE;
}

static PyObject *is_watched(PyObject *self, PyObject *none)
{
	(void)none;
	return PyBool_FromLong(safe_points_of(self)->threshold_ns != 0);
}

static PyObject *await_slow(PyObject *self, PyObject *none)
{
	struct safe_points *s = safe_points_of(self);
	bool is_slow;

	(void)none;
	Py_BEGIN_ALLOW_THREADS is_slow = running_callback_await(&s->running, s->threshold_ns / 2);
	Py_END_ALLOW_THREADS return PyBool_FromLong(is_slow);
}

static PyObject *running_since(PyObject *self, PyObject *none)
{
	(void)none;
	return PyLong_FromUnsignedLongLong(running_callback_since(&safe_points_of(self)->running));
}

static PyObject *pause_watching(PyObject *self, PyObject *seconds)
{
	double value = PyFloat_AsDouble(seconds);
	bool is_open;

	if (value == -1.0 && PyErr_Occurred())
		return NULL;
	Py_BEGIN_ALLOW_THREADS is_open = running_callback_pause(&safe_points_of(self)->running,
								(uint64_t)(value * NS_PER_SECOND));
	Py_END_ALLOW_THREADS return PyBool_FromLong(is_open);
}

/* threading.get_ident() may be that of a greenlet */
static PyObject *start_watching(PyObject *self, PyObject *none)
{
	(void)none;
	running_callback_open(&safe_points_of(self)->running);
	return PyLong_FromUnsignedLong(PyThread_get_thread_ident());
}

static PyObject *stop_watching(PyObject *self, PyObject *none)
{
	(void)none;
	Py_BEGIN_ALLOW_THREADS running_callback_close(&safe_points_of(self)->running);
	Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyObject *leave_watch(PyObject *self, PyObject *none)
{
	(void)none;
	running_callback_leave(&safe_points_of(self)->running);
	Py_RETURN_NONE;
}

static PyObject *safe_points_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	struct safe_points *s = safe_points_of(PyType_GenericAlloc(type, 0));

	(void)args, (void)kwargs;
	if (!s)
		return NULL;
	s->schedstat = -1;
	return (PyObject *)s;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	struct safe_points *s = safe_points_of(self);

	Py_VISIT(Py_TYPE(self));
	Py_VISIT(s->next_ready);
	Py_VISIT(s->loop);
	Py_VISIT(s->sections);
	Py_VISIT(s->on_slow);
	Py_VISIT(s->current);
	return 0;
}

static int clear(PyObject *self)
{
	struct safe_points *s = safe_points_of(self);

	Py_CLEAR(s->next_ready);
	Py_CLEAR(s->loop);
	Py_CLEAR(s->iteration);
	Py_CLEAR(s->sections);
	Py_CLEAR(s->on_slow);
	Py_CLEAR(s->current);
	return 0;
}

static void dealloc(PyObject *self)
{
	struct safe_points *s = safe_points_of(self);
	PyTypeObject *type = Py_TYPE(self);

	PyObject_GC_UnTrack(self);
	clear(self);
	if (s->schedstat >= 0)
		close(s->schedstat);
	PyObject_GC_Del(self);
	Py_DECREF(type);
}

static PyMethodDef methods[] = {
	{"popleft", safe_points_popleft, METH_NOARGS,
	 "The loop's next ready handle; a safe point comes before it."},
	{"run_once", safe_points_run_once, METH_NOARGS,
	 "One iteration of the loop; a safe point comes after it."},
	{"call", safe_points_call, METH_VARARGS,
	 "call(callback, *args): calls it between two safe points."},
	{"hold", hold, METH_O,
	 "hold((section, task)): the section is suspended whenever the task is."},
	{"is_in_step_of", is_in_step_of, METH_O,
	 "is_in_step_of(task): whether the callback that runs is a step of the task."},
	{"bind", bind, METH_VARARGS,
	 "bind(popleft, loop): the deque's own popleft() and the loop, whose popleft() and "
	 "_run_once() these replace."},
	{"watch", watch, METH_VARARGS,
	 "watch(threshold, on_slow): reports callbacks that take longer."},
	{"unwatch", unwatch, METH_NOARGS, "Undoes watch(), after stop_watching()."},
	{"is_watched", is_watched, METH_NOARGS, "Whether slow callbacks are reported."},
	{"await_slow", await_slow, METH_NOARGS,
	 "Blocks, without the interpreter lock, until a callback has run for half of the "
	 "threshold: then\nTrue; or until stop_watching(): then False. For a watcher thread."},
	{"pause", pause_watching, METH_O,
	 "pause(seconds): blocks for so long; False at once after stop_watching(). For a watcher "
	 "thread."},
	{"running_since", running_since, METH_NOARGS,
	 "When the callback that runs began, CLOCK_MONOTONIC ns; or 0."},
	{"start_watching", start_watching, METH_NOARGS,
	 "Before a watcher thread starts. Returns the calling thread's ident."},
	{"stop_watching", stop_watching, METH_NOARGS,
	 "Ends the watcher thread, if this process has one."},
	{"leave_watch", leave_watch, METH_NOARGS, "The watcher thread's last call."},
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
