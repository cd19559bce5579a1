/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * critical(): a section in which the kernel does not take the CPU. The nesting depth belongs to the
 * OS thread, so a section must be left on the thread that entered it. Anything else is refused: it
 * would leave one thread critical for ever and take the protection from another.
 */
#include "sdk/python/src/core.h"

struct critical {
	PyObject_HEAD
	struct morpheus_thread *thread; /* that is critical; NULL if it was no worker at entry */
	uint64_t thread_number;
	unsigned int depth; /* how often this object was entered and not left */
	bool suspended;     /* its task is not running: the thread is not critical for it */
};

static bool is_elsewhere(const struct critical *section)
{
	return section->thread_number != thread_number();
}

static int enter(struct critical *section)
{
	if (section->depth == 0) {
		section->thread = morpheus_worker_self();
		section->thread_number = thread_number();
		section->suspended = false;
	} else if (is_elsewhere(section)) {
		PyErr_SetString(PyExc_RuntimeError, "this critical section is held by another "
						    "thread; make one with critical() for each");
		return -1;
	}
	++section->depth;
	if (section->thread && !section->suspended)
		morpheus_critical_enter(section->thread);
	return 0;
}

static int leave(struct critical *section)
{
	if (section->depth == 0) {
		PyErr_SetString(PyExc_RuntimeError, "this critical section was not entered");
		return -1;
	}
	if (!section->suspended && is_elsewhere(section)) {
		PyErr_SetString(PyExc_RuntimeError,
				"a critical section must be left on the thread that entered it");
		return -1;
	}
	--section->depth;
	if (section->thread && !section->suspended)
		morpheus_critical_exit(section->thread);
	return 0;
}

bool section_is_held(PyObject *section)
{
	return ((struct critical *)section)->depth != 0;
}

void section_suspend(PyObject *object)
{
	struct critical *section = (struct critical *)object;

	if (section->suspended || is_elsewhere(section))
		return;
	section->suspended = true;
	for (unsigned int i = 0; section->thread && i < section->depth; ++i)
		morpheus_critical_exit(section->thread);
}

void section_resume(PyObject *object)
{
	struct critical *section = (struct critical *)object;

	if (!section->suspended || is_elsewhere(section))
		return;
	section->suspended = false;
	for (unsigned int i = 0; section->thread && i < section->depth; ++i)
		morpheus_critical_enter(section->thread);
}

static PyObject *critical_enter(PyObject *self, PyObject *none)
{
	(void)none;
	if (enter((struct critical *)self) != 0)
		return NULL;
	Py_INCREF(self);
	return self;
}

static PyObject *critical_exit(PyObject *self, PyObject *args)
{
	(void)args;
	if (leave((struct critical *)self) != 0)
		return NULL;
	Py_RETURN_FALSE;
}

/* The coroutines of "async with" are in Python: they need the running loop and its task. */
static PyObject *call_sections(const char *function, PyObject *self)
{
	PyObject *module = PyImport_ImportModule("morpheus._sections");
	PyObject *result = NULL;

	if (module)
		result = PyObject_CallMethod(module, function, "O", self);
	Py_XDECREF(module);
	return result;
}

static PyObject *critical_aenter(PyObject *self, PyObject *none)
{
	(void)none;
	return call_sections("enter", self);
}

static PyObject *critical_aexit(PyObject *self, PyObject *args)
{
	(void)args;
	return call_sections("leave", self);
}

/* Dropped without being left, after a bare __enter__(): the thread must not stay critical. */
static void critical_dealloc(PyObject *self)
{
	struct critical *section = (struct critical *)self;
	PyTypeObject *type = Py_TYPE(self);

	while (section->depth && !section->suspended && !is_elsewhere(section))
		(void)leave(section);
	PyObject_Free(self);
	Py_DECREF(type);
}

static PyObject *critical_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {NULL};

	if ((args && PyTuple_Size(args) != 0) || kwargs) {
		if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":critical", names))
			return NULL;
	}
	return PyType_GenericAlloc(type, 0);
}

static PyMethodDef methods[] = {
	{"__enter__", critical_enter, METH_NOARGS, NULL},
	{"__exit__", critical_exit, METH_VARARGS, NULL},
	{"__aenter__", critical_aenter, METH_NOARGS, NULL},
	{"__aexit__", critical_aexit, METH_VARARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
	{Py_tp_doc,
	 "critical()\n--\n\nA section in which the kernel does not take this thread's "
	 "CPU by escalation, up to the operator's hold cap, and\nin which safe points do "
	 "nothing. Sections nest, and one object may be entered again.\n\n"
	 "    with critical(): ...          for the calling thread\n"
	 "    async with critical(): ...    for the steps of this task; not while it is "
	 "suspended\n\n"
	 "A section must be left on the thread that entered it."},
	{Py_tp_new, critical_new},
	{Py_tp_dealloc, critical_dealloc},
	{Py_tp_methods, methods},
	{0, NULL},
};

PyType_Spec critical_spec = {
	.name = "morpheus._core.critical",
	.basicsize = sizeof(struct critical),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = slots,
};
