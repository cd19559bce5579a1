/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * morpheus._core: what the Python package needs in C. Everything here is about the calling OS
 * thread, never about an interpreter: libmorpheus keeps its state in thread-local storage, and so
 * does this.
 *
 * Written for the limited API of Python 3.9, so that one build serves every later version with a
 * GIL; free-threaded Pythons have no limited API, and get a build of their own from the same
 * source.
 */
#ifndef MORPHEUS_PYTHON_CORE_H
#define MORPHEUS_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <morpheus/morpheus.h>

#define STATIC_METHOD(function) ((PyCFunction)(void (*)(void))(function))
#define NS_PER_SECOND 1000000000ull

struct core {
	PyObject *error;        /* MorpheusError */
	PyObject *at_once;      /* an awaitable that completes without suspending */
	PyTypeObject *gave_way; /* an awaitable that suspends once */
	PyTypeObject *adaptive;
	PyTypeObject *checked; /* an iterator that takes an adaptive's turns */
};

/// CLOCK_MONOTONIC, nanoseconds.
uint64_t monotonic_ns(void);

/// A number that no other thread of this process ever has; a forked child's thread keeps its
/// number.
uint64_t thread_number(void);

/// Acknowledges the hint, and gives up the CPU if another thread waits for it: without holding the
/// interpreter lock, so that other Python threads can use the time. Returns whether it did.
MORPHEUS_COLD bool give_way(void);

/// morpheus_checkpoint_here() with that slow path.
static inline bool safe_point(void)
{
	return !MORPHEUS_LIKELY(!morpheus_asked(&morpheus_here)) && give_way();
}

/// Raises MorpheusError for an error code; returns NULL.
PyObject *raise_error(PyObject *module, int code, const char *what);

/// The tp_new of types whose objects this module alone makes.
PyObject *refuse_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);

extern PyMethodDef adaptive_functions[];
extern PyMethodDef checkpoint_functions[];
extern PyMethodDef worker_functions[];
extern PyType_Spec at_once_spec, gave_way_spec, critical_spec, adaptive_spec, checked_spec,
	safe_points_spec;

/* held_sections.c, on the loop's thread; `sections` is a list of (section, task) */

/// Whether a handle, or a callback itself, is a step of the task.
bool is_step_of(PyObject *handle, PyObject *task);
/// After a callback: suspends the sections of the task that has run, and forgets those that were
/// left.
void held_sections_suspend(PyObject *sections);
/// Before a callback: if it is a step of a task, resumes the task's sections. `handle` is the
/// handle or the callback itself.
void held_sections_resume(PyObject *sections, PyObject *handle);

/* critical.c, for held_sections.c */

/// Whether the section was entered and not left.
bool section_is_held(PyObject *section);
/// The task that holds the section is suspended: the thread is not critical for it any more. On the
/// thread that holds it; does nothing elsewhere.
void section_suspend(PyObject *section);
/// The thread is critical for it again. On the thread that holds it.
void section_resume(PyObject *section);

#endif
