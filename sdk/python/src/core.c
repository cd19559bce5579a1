/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module itself: its types, its exception and its functions.
 */
#include "sdk/python/src/core.h"

#include <stdio.h>
#include <time.h>

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t thread_number(void)
{
	static uint64_t last;
	static __thread uint64_t mine;

	if (!mine)
		mine = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	return mine;
}

PyObject *raise_error(PyObject *module, int code, const char *what)
{
	struct core *core = PyModule_GetState(module);
	PyObject *message = PyUnicode_FromFormat(
		"cannot %s: %s (%s)", what, morpheus_error_text(code), morpheus_error_name(code));
	PyObject *error = message ? PyObject_CallFunctionObjArgs(core->error, message, NULL) : NULL;
	PyObject *number = error ? PyLong_FromLong(code) : NULL;

	if (number && PyObject_SetAttrString(error, "code", number) == 0)
		PyErr_SetObject(core->error, error);
	Py_XDECREF(number);
	Py_XDECREF(error);
	Py_XDECREF(message);
	return NULL;
}

PyObject *refuse_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)type, (void)args, (void)kwargs;
	PyErr_SetString(PyExc_TypeError,
			"only the functions of morpheus make objects of this type");
	return NULL;
}

/* Returns a new reference, beside the module's. */
static PyTypeObject *add_type(PyObject *module, const char *name, PyType_Spec *spec)
{
	PyObject *type = PyType_FromSpec(spec);

	if (!type)
		return NULL;
	Py_INCREF(type);
	if (PyModule_AddObject(module, name, type) != 0) {
		Py_DECREF(type);
		Py_CLEAR(type);
	}
	return (PyTypeObject *)type;
}

static int add_types(PyObject *module, struct core *core)
{
	PyTypeObject *critical = add_type(module, "critical", &critical_spec);
	PyTypeObject *safe_points = add_type(module, "SafePoints", &safe_points_spec);

	core->adaptive = add_type(module, "Adaptive", &adaptive_spec);
	core->gave_way = (PyTypeObject *)PyType_FromSpec(&gave_way_spec);
	core->checked = (PyTypeObject *)PyType_FromSpec(&checked_spec);
	Py_XDECREF(critical);
	Py_XDECREF(safe_points);
	return critical && safe_points && core->gave_way && core->adaptive && core->checked ? 0
											    : -1;
}

static int add_constants(PyObject *module)
{
	static const struct {
		const char *name;
		int value;
	} constants[] = {
		{"DETERMINISTIC", MORPHEUS_DETERMINISTIC},
		{"PRESSURED", MORPHEUS_PRESSURED},
		{"DEFENSIVE", MORPHEUS_DEFENSIVE},
		{"POLICY_NONE", MORPHEUS_POLICY_NONE},
		{"POLICY_THREAD_KICK", MORPHEUS_POLICY_THREAD_KICK},
		{"POLICY_CGROUP_THROTTLE", MORPHEUS_POLICY_CGROUP_THROTTLE},
		{"POLICY_HYBRID", MORPHEUS_POLICY_HYBRID},
		{"LINK_NONE", MORPHEUS_LINK_NONE},
		{"LINK_WAITING", MORPHEUS_LINK_WAITING},
		{"LINK_ATTACHED", MORPHEUS_LINK_ATTACHED},
		{"ERR_ALREADY", MORPHEUS_ERR_ALREADY},
		{"ERR_BUSY", MORPHEUS_ERR_BUSY},
		{"ERR_NOT_ATTACHED", MORPHEUS_ERR_NOT_ATTACHED},
		{"ERR_NO_MEMORY", MORPHEUS_ERR_NO_MEMORY},
		{"ERR_SYSTEM", MORPHEUS_ERR_SYSTEM},
		{"PRIORITY_DEFAULT", MORPHEUS_PRIORITY_DEFAULT},
		{"PRIORITY_MAX", MORPHEUS_PRIORITY_MAX},
	};

	for (size_t i = 0; i < sizeof(constants) / sizeof(*constants); ++i)
		if (PyModule_AddIntConstant(module, constants[i].name, constants[i].value) != 0)
			return -1;
	return PyModule_AddStringConstant(module, "VERSION", morpheus_version());
}

static int exec_core(PyObject *module)
{
	struct core *core = PyModule_GetState(module);
	PyObject *at_once_type = PyType_FromSpec(&at_once_spec);

	if (!at_once_type)
		return -1;
	core->at_once = PyType_GenericAlloc((PyTypeObject *)at_once_type, 0);
	Py_DECREF(at_once_type);
	core->error = PyErr_NewException("morpheus.MorpheusError", PyExc_RuntimeError, NULL);
	if (!core->at_once || !core->error)
		return -1;
	Py_INCREF(core->error);
	if (PyModule_AddObject(module, "MorpheusError", core->error) != 0) {
		Py_DECREF(core->error);
		return -1;
	}
	if (PyModule_AddFunctions(module, adaptive_functions) != 0 ||
	    PyModule_AddFunctions(module, checkpoint_functions) != 0 ||
	    PyModule_AddFunctions(module, worker_functions) != 0 || add_types(module, core) != 0)
		return -1;
	return add_constants(module);
}

static int traverse_core(PyObject *module, visitproc visit, void *arg)
{
	struct core *core = PyModule_GetState(module);

	Py_VISIT(core->error);
	Py_VISIT(core->at_once);
	Py_VISIT(core->gave_way);
	Py_VISIT(core->adaptive);
	Py_VISIT(core->checked);
	return 0;
}

static int clear_core(PyObject *module)
{
	struct core *core = PyModule_GetState(module);

	Py_CLEAR(core->error);
	Py_CLEAR(core->at_once);
	Py_CLEAR(core->gave_way);
	Py_CLEAR(core->adaptive);
	Py_CLEAR(core->checked);
	return 0;
}

static void free_core(void *module)
{
	clear_core(module);
}

/* The number and value of Py_mod_multiple_interpreters: see PyInit__core(). */
#define SLOT_MULTIPLE_INTERPRETERS 3
#define PER_INTERPRETER_GIL_SUPPORTED ((void *)2)

static PyModuleDef_Slot slots[] = {
	{Py_mod_exec, exec_core},
	{SLOT_MULTIPLE_INTERPRETERS, PER_INTERPRETER_GIL_SUPPORTED},
#ifdef Py_GIL_DISABLED
	{Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
	{0, NULL},
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "morpheus._core",
	.m_doc = "The part of the package that is in C; use the package morpheus.",
	.m_size = sizeof(struct core),
	.m_slots = slots,
	.m_traverse = traverse_core,
	.m_clear = clear_core,
	.m_free = free_core,
};

/*
 * Interpreters with a lock of their own, since Python 3.12, may import the module: all its state
 * belongs to it, to an OS thread or to the process. Earlier versions do not know the slot.
 */
PyMODINIT_FUNC PyInit__core(void)
{
	int major = 0, minor = 0;

	if (sscanf(Py_GetVersion(), "%d.%d", &major, &minor) == 2 && major == 3 && minor < 12)
		slots[1] = (PyModuleDef_Slot){0, NULL};
	return PyModuleDef_Init(&definition);
}
