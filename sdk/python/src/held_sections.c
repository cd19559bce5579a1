/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The critical sections that tasks of one loop hold: a list of (section, task). Between two
 * callbacks no task runs, so all of them are suspended; a callback that is a step of a task resumes
 * that task's.
 */
#include "sdk/python/src/core.h"

bool is_step_of(PyObject *handle, PyObject *task)
{
	PyObject *callback = PyObject_GetAttrString(handle, "_callback"), *owner;
	bool is_owner;

	if (!callback) { /* no handle: the callback itself */
		PyErr_Clear();
		Py_INCREF(handle);
		callback = handle;
	}
	owner = PyObject_GetAttrString(callback, "__self__");
	if (!owner)
		PyErr_Clear();
	is_owner = owner == task;
	Py_XDECREF(owner);
	Py_DECREF(callback);
	return is_owner;
}

void held_sections_suspend(PyObject *sections)
{
	for (Py_ssize_t i = PyList_Size(sections); i-- > 0;) {
		PyObject *section = PyTuple_GetItem(PyList_GetItem(sections, i), 0);

		if (section_is_held(section))
			section_suspend(section);
		else
			PyList_SetSlice(sections, i, i + 1, NULL);
	}
}

void held_sections_resume(PyObject *sections, PyObject *handle)
{
	for (Py_ssize_t i = 0; i < PyList_Size(sections); ++i) {
		PyObject *pair = PyList_GetItem(sections, i);

		if (is_step_of(handle, PyTuple_GetItem(pair, 1)))
			section_resume(PyTuple_GetItem(pair, 0));
	}
}
