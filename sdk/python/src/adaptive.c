/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The base of AdaptiveCheckpointer: which turns of a loop look for a hint. It counts down between
 * looks. Each look measures how long a turn takes and chooses the next count, so that looks come
 * about as often as wanted: often while hints come, rarely while none do.
 */
#include "sdk/python/src/core.h"

#include <structmember.h>

#define MOST_TURNS (1u << 20)

struct adaptive {
	PyObject_HEAD
	unsigned long long tight_ns;   /* time between looks under pressure */
	unsigned long long relaxed_ns; /* and without */
	uint64_t looked_at_ns;
	unsigned int turns;     /* from one look to the next */
	unsigned int countdown; /* turns left */
	unsigned long long looks;
	unsigned long long yields;
};

static unsigned int next_turns(unsigned int turns, uint64_t spent_ns, uint64_t wanted_ns)
{
	/* The first turns of a loop may differ from the others: grow by steps, shrink at once. */
	uint64_t most = turns < MOST_TURNS / 2 ? turns * 2ull : MOST_TURNS;
	uint64_t fit = spent_ns ? wanted_ns * turns / spent_ns : most;

	if (fit < 1)
		return 1;
	return (unsigned int)(fit < most ? fit : most);
}

static bool look(struct adaptive *a)
{
	uint64_t now = monotonic_ns();
	bool gave_way = safe_point();
	bool pressed = gave_way || morpheus_get_mode() != MORPHEUS_DETERMINISTIC;

	if (a->looked_at_ns)
		a->turns = next_turns(a->turns, now - a->looked_at_ns,
				      pressed ? a->tight_ns : a->relaxed_ns);
	a->countdown = a->turns;
	a->looks += 1;
	a->yields += gave_way;
	a->looked_at_ns = monotonic_ns();
	return gave_way;
}

static inline bool turn(struct adaptive *a)
{
	return --a->countdown == 0 && look(a);
}

static PyObject *adaptive_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
	(void)kwargs;
	if (PyTuple_Size(args) != 0) {
		PyErr_SetString(PyExc_TypeError, "a checkpointer is called without arguments");
		return NULL;
	}
	if (turn((struct adaptive *)self))
		Py_RETURN_TRUE;
	Py_RETURN_FALSE;
}

static PyObject *adaptive_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"tight", "relaxed", NULL};
	double tight = 50e-6, relaxed = 1e-3;
	struct adaptive *a;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|dd:AdaptiveCheckpointer", names, &tight,
					 &relaxed))
		return NULL;
	if (!(tight > 0 && tight <= relaxed && relaxed <= 1)) {
		PyErr_SetString(PyExc_ValueError, "the seconds must be 0 < tight <= relaxed <= 1");
		return NULL;
	}
	a = (struct adaptive *)PyType_GenericAlloc(type, 0);
	if (!a)
		return NULL;
	a->tight_ns = (unsigned long long)(tight * NS_PER_SECOND);
	a->relaxed_ns = (unsigned long long)(relaxed * NS_PER_SECOND);
	a->turns = a->countdown = 1;
	return (PyObject *)a;
}

static void adaptive_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);

	free_object(self);
	Py_DECREF(type);
}

static PyMemberDef members[] = {
	{"turns", T_UINT, offsetof(struct adaptive, turns), READONLY,
	 "turns of the loop from one look to the next"},
	{"looks", T_ULONGLONG, offsetof(struct adaptive, looks), READONLY,
	 "how often it looked for a hint"},
	{"yields", T_ULONGLONG, offsetof(struct adaptive, yields), READONLY,
	 "how often it gave up the CPU"},
	{NULL, 0, 0, 0, NULL},
};

static PyType_Slot adaptive_slots[] = {
	{Py_tp_new, adaptive_new},
	{Py_tp_dealloc, adaptive_dealloc},
	{Py_tp_call, adaptive_call},
	{Py_tp_members, members},
	{0, NULL},
};

PyType_Spec adaptive_spec = {
	.name = "morpheus._core.Adaptive",
	.basicsize = sizeof(struct adaptive),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = adaptive_slots,
};

/* --- an iterator that takes the turns --------------------------------------------------------- */

struct checked {
	PyObject_HEAD
	PyObject *checkpointer;
	PyObject *items;
};

static PyObject *checked_next(PyObject *self)
{
	struct checked *c = (struct checked *)self;

	(void)turn((struct adaptive *)c->checkpointer);
	return PyIter_Next(c->items);
}

static PyObject *checked_iter(PyObject *self)
{
	Py_INCREF(self);
	return self;
}

static PyObject *over(PyObject *module, PyObject *args)
{
	struct core *core = PyModule_GetState(module);
	PyObject *checkpointer, *iterable, *items;
	struct checked *c;

	if (!PyArg_ParseTuple(args, "O!O:over", core->adaptive, &checkpointer, &iterable))
		return NULL;
	items = PyObject_GetIter(iterable);
	if (!items)
		return NULL;
	c = (struct checked *)PyType_GenericAlloc(core->checked, 0);
	if (!c) {
		Py_DECREF(items);
		return NULL;
	}
	Py_INCREF(checkpointer);
	c->checkpointer = checkpointer;
	c->items = items;
	return (PyObject *)c;
}

PyMethodDef adaptive_functions[] = {
	{"over", over, METH_VARARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static int checked_traverse(PyObject *self, visitproc visit, void *arg)
{
	struct checked *c = (struct checked *)self;

	Py_VISIT(Py_TYPE(self));
	Py_VISIT(c->checkpointer);
	Py_VISIT(c->items);
	return 0;
}

static void checked_dealloc(PyObject *self)
{
	struct checked *c = (struct checked *)self;
	PyTypeObject *type = Py_TYPE(self);

	PyObject_GC_UnTrack(self);
	Py_CLEAR(c->checkpointer);
	Py_CLEAR(c->items);
	PyObject_GC_Del(self);
	Py_DECREF(type);
}

static PyType_Slot checked_slots[] = {
	{Py_tp_new, refuse_new},
	{Py_tp_dealloc, checked_dealloc},
	{Py_tp_traverse, checked_traverse},
	{Py_tp_iter, checked_iter},
	{Py_tp_iternext, checked_next},
	{0, NULL},
};

PyType_Spec checked_spec = {
	.name = "morpheus._core.Checked",
	.basicsize = sizeof(struct checked),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.slots = checked_slots,
};
