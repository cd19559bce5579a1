/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process and the calling thread as a worker: thin calls of the C ABI. Calls that may wait for
 * the daemon do so without the interpreter lock.
 */
#include "sdk/python/src/core.h"

static PyObject *none_or_error(PyObject *module, int code, const char *what)
{
	if (code != MORPHEUS_OK)
		return raise_error(module, code, what);
	Py_RETURN_NONE;
}

static PyObject *attach(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"socket", "name", "max_workers", NULL};
	struct morpheus_options options = {0};
	long max_workers = 0;
	int code;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|zzl:attach", names, &options.socket,
					 &options.name, &max_workers))
		return NULL;
	if (max_workers < 0 || max_workers > UINT32_MAX)
		return raise_error(module, MORPHEUS_ERR_INVALID, "attach to morpheusd");
	options.max_workers = (uint32_t)max_workers;
	Py_BEGIN_ALLOW_THREADS code = morpheus_attach(&options);
	Py_END_ALLOW_THREADS return none_or_error(module, code, "attach to morpheusd");
}

static PyObject *detach(PyObject *module, PyObject *none)
{
	int code;

	(void)none;
	Py_BEGIN_ALLOW_THREADS code = morpheus_detach();
	Py_END_ALLOW_THREADS return none_or_error(module, code, "detach from morpheusd");
}

static PyObject *status(PyObject *module, PyObject *none)
{
	struct morpheus_status now;

	(void)module, (void)none;
	Py_BEGIN_ALLOW_THREADS morpheus_get_status(&now);
	Py_END_ALLOW_THREADS return Py_BuildValue("(IIIIs)", now.link, now.workers, now.guided,
						  now.attaches, now.last_error);
}

static PyObject *worker_register(PyObject *module, PyObject *none)
{
	int code;

	(void)none;
	Py_BEGIN_ALLOW_THREADS code = morpheus_worker_register(NULL);
	Py_END_ALLOW_THREADS return none_or_error(module, code, "register the thread");
}

static PyObject *worker_unregister(PyObject *module, PyObject *none)
{
	int code;

	(void)none;
	Py_BEGIN_ALLOW_THREADS code = morpheus_worker_unregister();
	Py_END_ALLOW_THREADS return none_or_error(module, code, "unregister the thread");
}

static PyObject *set_running(PyObject *module, PyObject *running)
{
	enum morpheus_worker_state state = MORPHEUS_WORKER_QUIESCING;
	int code, is_running = PyObject_IsTrue(running);

	if (is_running < 0)
		return NULL;
	if (is_running)
		state = MORPHEUS_WORKER_RUNNING;
	Py_BEGIN_ALLOW_THREADS code = morpheus_worker_set_state(state);
	Py_END_ALLOW_THREADS return none_or_error(module, code, "change the thread's state");
}

static PyObject *is_registered(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	return PyBool_FromLong(morpheus_worker_self() != NULL);
}

static PyObject *critical_depth(PyObject *module, PyObject *none)
{
	const struct morpheus_thread *self = morpheus_worker_self();

	(void)module, (void)none;
	return PyLong_FromUnsignedLong(self ? *self->critical : 0);
}

static PyObject *set_priority(PyObject *module, PyObject *priority)
{
	unsigned long value = PyLong_AsUnsignedLong(priority);

	if (value == (unsigned long)-1 && PyErr_Occurred())
		return NULL;
	return none_or_error(
		module, morpheus_set_priority(value > UINT32_MAX ? UINT32_MAX : (uint32_t)value),
		"set the priority");
}

static PyObject *set_escapable(PyObject *module, PyObject *args)
{
	int escapable, policy, code;

	if (!PyArg_ParseTuple(args, "pi:set_escapable", &escapable, &policy))
		return NULL;
	/* consent is given last, as it makes the policy count, and taken back first */
	if (!escapable)
		code = morpheus_set_escapable(false) ?: morpheus_set_policy(policy);
	else
		code = morpheus_set_policy(policy) ?: morpheus_set_escapable(true);
	return none_or_error(module, code, "set the consent to escalation");
}

static PyObject *guidance(PyObject *module, PyObject *none)
{
	struct morpheus_guidance now;
	int code = morpheus_get_guidance(&now);

	(void)none;
	if (code != MORPHEUS_OK)
		return raise_error(module, code, "read the thread's guidance");
	return Py_BuildValue("(KKKKKIIII)", (unsigned long long)now.budget_remaining_ns,
			     (unsigned long long)now.hint_deadline_ns,
			     (unsigned long long)now.last_escalation_ns,
			     (unsigned long long)now.cpu_time_ns,
			     (unsigned long long)now.wait_time_ns, now.pressure_level,
			     now.hint_reason, now.hint_loss_count, now.source);
}

static PyObject *budget_remaining(PyObject *module, PyObject *none)
{
	struct morpheus_guidance now = {0};

	(void)module, (void)none;
	morpheus_get_guidance(&now); /* leaves 0 on a thread that is not registered */
	return PyFloat_FromDouble((double)now.budget_remaining_ns / NS_PER_SECOND);
}

static PyObject *pressure(PyObject *module, PyObject *none)
{
	struct morpheus_guidance own = {0};
	struct morpheus_global_pressure all;

	(void)module, (void)none;
	morpheus_get_pressure(&all);
	morpheus_get_guidance(&own);
	return Py_BuildValue("(IIIII)", all.cpu_pressure_pct, all.io_pressure_pct,
			     all.memory_pressure_pct, all.runqueue_depth, own.pressure_level);
}

static PyObject *stats(PyObject *module, PyObject *none)
{
	struct morpheus_stats now = {0};

	(void)module, (void)none;
	morpheus_get_stats(&now);
	return Py_BuildValue("(KKKKKKK)", (unsigned long long)now.hints,
			     (unsigned long long)now.acks, (unsigned long long)now.withdrawn,
			     (unsigned long long)now.yields, (unsigned long long)now.eager_yields,
			     (unsigned long long)now.deferred, (unsigned long long)now.rebinds);
}

static PyObject *mode(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	return PyLong_FromLong(morpheus_get_mode());
}

PyMethodDef worker_functions[] = {
	{"attach", STATIC_METHOD(attach), METH_VARARGS | METH_KEYWORDS, NULL},
	{"detach", detach, METH_NOARGS, NULL},
	{"status", status, METH_NOARGS, NULL},
	{"worker_register", worker_register, METH_NOARGS, NULL},
	{"worker_unregister", worker_unregister, METH_NOARGS, NULL},
	{"set_running", set_running, METH_O, NULL},
	{"is_registered", is_registered, METH_NOARGS,
	 "is_registered() -> bool\n\nWhether the calling thread is a worker."},
	{"critical_depth", critical_depth, METH_NOARGS,
	 "critical_depth() -> int\n\nHow many critical sections the calling thread is in, as the "
	 "kernel sees it; 0 if it is no worker."},
	{"set_priority", set_priority, METH_O,
	 "set_priority(priority) -> None\n\nThe calling thread's priority, 0 to 1000; higher is "
	 "hinted later; advisory. A worker begins with 500."},
	{"set_escapable", set_escapable, METH_VARARGS, NULL},
	{"guidance", guidance, METH_NOARGS, NULL},
	{"budget_remaining", budget_remaining, METH_NOARGS,
	 "budget_remaining() -> float\n\nSeconds that remain of the thread's slice, as the kernel "
	 "last said; advisory; 0.0 if nothing is known."},
	{"pressure", pressure, METH_NOARGS, NULL},
	{"stats", stats, METH_NOARGS, NULL},
	{"mode", mode, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};
