/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Safe points. The fast path of each is one load, one compare and one branch beside the call
 * itself.
 */
#include "sdk/python/src/core.h"

bool give_way(void)
{
	if (!morpheus_acknowledge(&morpheus_here))
		return false;
	Py_BEGIN_ALLOW_THREADS morpheus_yield();
	Py_END_ALLOW_THREADS return true;
}

static PyObject *checkpoint(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	if (safe_point())
		Py_RETURN_TRUE;
	Py_RETURN_FALSE;
}

static PyObject *acknowledge(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	return PyBool_FromLong(morpheus_acknowledge(&morpheus_here));
}

static PyObject *yield_cpu(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	Py_BEGIN_ALLOW_THREADS morpheus_yield();
	Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

/* What checkpoint() is measured against: the same call without a safe point. */
static PyObject *empty_call(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	Py_RETURN_FALSE;
}

/* --- await acheckpoint() ---------------------------------------------------------------------- */

struct gave_way {
	PyObject_HEAD
	bool was_suspended;
};

static PyObject *acheckpoint(PyObject *module, PyObject *none)
{
	struct core *core = PyModule_GetState(module);

	(void)none;
	if (MORPHEUS_LIKELY(!safe_point())) {
		Py_INCREF(core->at_once);
		return core->at_once;
	}
	return PyType_GenericAlloc(core->gave_way, 0);
}

static PyObject *awaits_itself(PyObject *self)
{
	Py_INCREF(self);
	return self;
}

/* NULL without an exception ends the await without making a StopIteration: its value is None. */
static PyObject *completes_at_once(PyObject *self)
{
	(void)self;
	return NULL;
}

/* A bare yield is how a task gives way for one turn of the loop, as asyncio.sleep(0) does. */
static PyObject *suspends_once(PyObject *self)
{
	struct gave_way *awaitable = (struct gave_way *)self;

	if (!awaitable->was_suspended) {
		awaitable->was_suspended = true;
		Py_RETURN_NONE;
	}
	PyErr_SetObject(PyExc_StopIteration, Py_True);
	return NULL;
}

static void dealloc_awaitable(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);

	PyObject_Free(self);
	Py_DECREF(type);
}

static PyType_Slot at_once_slots[] = {
	{Py_tp_new, refuse_new},
	{Py_tp_dealloc, dealloc_awaitable},
	{Py_am_await, awaits_itself},
	{Py_tp_iter, awaits_itself},
	{Py_tp_iternext, completes_at_once},
	{0, NULL},
};

PyType_Spec at_once_spec = {
	.name = "morpheus._core.AtOnce",
	.basicsize = sizeof(PyObject),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = at_once_slots,
};

static PyType_Slot gave_way_slots[] = {
	{Py_tp_new, refuse_new},         {Py_tp_dealloc, dealloc_awaitable},
	{Py_am_await, awaits_itself},    {Py_tp_iter, awaits_itself},
	{Py_tp_iternext, suspends_once}, {0, NULL},
};

PyType_Spec gave_way_spec = {
	.name = "morpheus._core.GaveWay",
	.basicsize = sizeof(struct gave_way),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = gave_way_slots,
};

PyMethodDef checkpoint_functions[] = {
	{"checkpoint", checkpoint, METH_NOARGS,
	 "checkpoint() -> bool\n\nA safe point: if there is a hint, acknowledges it, gives up the "
	 "CPU and returns True.\nWithout a hint it costs about as much as an empty call. Does "
	 "nothing inside a critical section,\nand on a thread that is no worker."},
	{"acheckpoint", acheckpoint, METH_NOARGS,
	 "await acheckpoint() -> True or None\n\nA safe point of a coroutine. If there is a hint, "
	 "gives up the CPU, then lets the loop run its\nother tasks once, and the value is True. "
	 "Otherwise completes at once, without a turn of the loop."},
	{"acknowledge", acknowledge, METH_NOARGS,
	 "acknowledge() -> bool\n\nA safe point for a caller that gives up the CPU itself: "
	 "acknowledges the hint, if there is one,\nand returns True if the caller should now call "
	 "yield_cpu() or block."},
	{"yield_cpu", yield_cpu, METH_NOARGS,
	 "yield_cpu() -> None\n\nGives up the CPU now, without holding the interpreter lock."},
	{"_empty_call", empty_call, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};
