/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libmorpheus, the C ABI: attach a process to morpheusd, register its threads as workers,
 * acknowledge the kernel's hints. The C++ API and the adapters of other languages are built on it.
 *
 * Without a daemon everything here works and costs the same, and no safe point ever fires; the
 * library keeps looking for a daemon and registers its workers there by itself, also after a daemon
 * restart.
 *
 *     struct morpheus_thread *self;
 *     morpheus_attach(NULL);
 *     morpheus_worker_register(&self);
 *     morpheus_worker_set_state(MORPHEUS_WORKER_RUNNING);
 *     struct morpheus_safepoint sp = morpheus_safepoint_get();
 *     while (work())
 *             morpheus_checkpoint(&sp);
 *     morpheus_worker_unregister();
 *     morpheus_detach();
 *
 * No function may be called from a signal handler. Functions about "the calling thread's worker"
 * fail with MORPHEUS_ERR_NOT_REGISTERED on a thread that is not registered.
 */
#ifndef MORPHEUS_MORPHEUS_H
#define MORPHEUS_MORPHEUS_H

#include <morpheus/detail/export.h>
#include <morpheus/error.h>
#include <morpheus/safepoint.h>
#include <morpheus/scb.h>

MORPHEUS_BEGIN_C

#define MORPHEUS_VERSION_MAJOR 0
#define MORPHEUS_VERSION_MINOR 1
#define MORPHEUS_DEFAULT_SOCKET "/run/morpheus/morpheusd.sock"

/// How to attach. Zero-initialise: 0 and NULL mean the default. Strings are copied.
struct morpheus_options {
	const char *socket;   /**< default: $MORPHEUS_SOCKET, else MORPHEUS_DEFAULT_SOCKET */
	const char *name;     /**< shown to operators; default: the program's short name */
	uint32_t max_workers; /**< 1 to 4095 threads guided at once; default 256 */
	uint32_t reserved[5]; /**< 0 */
};

/// The library's version, e.g. "0.1.0". Static storage; any thread.
MORPHEUS_API const char *morpheus_version(void) MORPHEUS_NOEXCEPT;

/// Attaches the process; `options` may be NULL. Tries the daemon once (for about a second at most,
/// if it is there but does not respond) and starts one thread, "morpheus-sdk", that keeps the link.
/// It is no error if there is no daemon. A guided morpheus::runtime attaches by itself, as NULL
/// does; to attach otherwise, do it before. Any thread.
/// Errors: INVALID, ALREADY, NO_MEMORY, SYSTEM.
MORPHEUS_API int morpheus_attach(const struct morpheus_options *options) MORPHEUS_NOEXCEPT;

/// Undoes morpheus_attach(). Safe points that are still held never fire again. While there are
/// guided runtimes, the process stays attached until the last of them ends.
/// Errors: NOT_ATTACHED, BUSY (a thread is registered; nothing was done). Any thread.
MORPHEUS_API int morpheus_detach(void) MORPHEUS_NOEXCEPT;

/// What the process is to the daemon now.
enum morpheus_link {
	MORPHEUS_LINK_NONE = 0,     /**< morpheus_attach() was not called */
	MORPHEUS_LINK_WAITING = 1,  /**< no daemon; trying again */
	MORPHEUS_LINK_ATTACHED = 2, /**< the daemon watches the workers */
};

struct morpheus_status {
	uint32_t link;     /**< enum morpheus_link */
	uint32_t workers;  /**< threads registered */
	uint32_t guided;   /**< of these, watched by the daemon: max_workers at most */
	uint32_t attaches; /**< how often a daemon accepted this process since morpheus_attach() */
	char last_error[128]; /**< why the last attempt or registration failed; empty if none did */
};

/// Fills `out`. May wait about a second while the library talks to a daemon. Any thread.
/// Errors: INVALID.
MORPHEUS_API int morpheus_get_status(struct morpheus_status *out) MORPHEUS_NOEXCEPT;

/// Registers the calling thread; it is then in state REGISTERED, not escapable, priority 500,
/// policy NONE. `out`, which may be NULL, gets the handle; it stays valid memory until the thread
/// ends, which unregisters it. One round trip to the daemon if there is one; its refusal is no
/// error (see morpheus_status.guided, .last_error), nor are more threads than max_workers: the last
/// ones work unguided until they register anew. Errors: NOT_ATTACHED, ALREADY, CRITICAL.
MORPHEUS_API int morpheus_worker_register(struct morpheus_thread **out) MORPHEUS_NOEXCEPT;

/// Unregisters the calling thread. Errors: NOT_REGISTERED, CRITICAL.
MORPHEUS_API int morpheus_worker_unregister(void) MORPHEUS_NOEXCEPT;

/// The calling thread's handle; NULL if it is not registered.
MORPHEUS_API struct morpheus_thread *morpheus_worker_self(void) MORPHEUS_NOEXCEPT;

/// Moves the calling thread's worker to MORPHEUS_WORKER_RUNNING (hints may come) or
/// MORPHEUS_WORKER_QUIESCING (from RUNNING; no hints). One round trip to the daemon if there is
/// one. Errors: NOT_REGISTERED, INVALID, STATE.
MORPHEUS_API int morpheus_worker_set_state(enum morpheus_worker_state state) MORPHEUS_NOEXCEPT;

/// Whether the kernel may take the CPU from the calling thread's worker when it ignores a hint
/// outside critical sections (Enforced mode, policy not NONE). Errors: NOT_REGISTERED.
MORPHEUS_API int morpheus_set_escapable(bool escapable) MORPHEUS_NOEXCEPT;

/// 0 to MORPHEUS_PRIORITY_MAX. In Enforced mode the worker of the lowest priority is hinted first,
/// and a priority below 500 lowers the thread's share of the CPU in proportion, to no less than a
/// tenth; more than 500 adds nothing. Errors: NOT_REGISTERED, INVALID.
MORPHEUS_API int morpheus_set_priority(uint32_t priority) MORPHEUS_NOEXCEPT;

/// How the kernel may escalate the calling thread's worker. Errors: NOT_REGISTERED, INVALID.
MORPHEUS_API int morpheus_set_policy(enum morpheus_escalation_policy policy) MORPHEUS_NOEXCEPT;

/// Gives up the CPU now (sched_yield). Inside a critical section, too: that is the caller's choice.
/// Any thread.
MORPHEUS_API void morpheus_yield(void) MORPHEUS_NOEXCEPT;

/// What the kernel says about one worker. Times in nanoseconds; 0 where nothing is known.
struct morpheus_guidance {
	uint64_t budget_remaining_ns; /**< advisory, of the current slice */
	uint64_t hint_deadline_ns;    /**< CLOCK_MONOTONIC; when the last hint becomes late */
	uint64_t last_escalation_ns;  /**< CLOCK_MONOTONIC; when the CPU was last taken */
	uint64_t cpu_time_ns;         /**< on a CPU, up to the last switch away */
	uint64_t wait_time_ns;        /**< runnable without a CPU, up to the last switch to it */
	uint32_t pressure_level;      /**< 0-100: how crowded the worker's CPU is */
	uint32_t hint_reason;         /**< enum morpheus_hint_reason of the last hint */
	uint32_t hint_loss_count;     /**< hints that became late before they were acknowledged */
	uint32_t source;              /**< 0: unknown; times of different sources do not compare */
};

/// Reads the calling thread's guidance; all 0 without a daemon. Errors: INVALID, NOT_REGISTERED.
MORPHEUS_API int morpheus_get_guidance(struct morpheus_guidance *out) MORPHEUS_NOEXCEPT;

/// Copies the system-wide pressure block; all 0 without a daemon. Any thread. Errors: INVALID.
MORPHEUS_API int morpheus_get_pressure(struct morpheus_global_pressure *out) MORPHEUS_NOEXCEPT;

/// Counts of one worker since it registered.
struct morpheus_stats {
	uint64_t hints;     /**< raised by the kernel, as the sequence counts them */
	uint64_t acks;      /**< acknowledgements; one may cover several hints */
	uint64_t withdrawn; /**< of these, without giving up the CPU: no thread waited any more */
	uint64_t yields;    /**< CPU given up for any reason */
	uint64_t eager_yields; /**< of these, by itself in MORPHEUS_DEFENSIVE */
	uint64_t deferred;     /**< checkpoints that acknowledged nothing: in a critical section */
	uint64_t rebinds;      /**< moves to or from a daemon */
};

/// The calling thread's counts. Errors: INVALID, NOT_REGISTERED.
MORPHEUS_API int morpheus_get_stats(struct morpheus_stats *out) MORPHEUS_NOEXCEPT;

/// The calling thread's mode, decided anew by this call. MORPHEUS_DETERMINISTIC on a thread that is
/// not registered.
///   DETERMINISTIC  no hint for a second
///   PRESSURED      a hint within the last second
///   DEFENSIVE      a hint was lost within the last second, or the daemon went away within the last
///                  ten while CPU pressure stood at 20 % or more: checkpoints then yield by
///                  themselves once a millisecond, at the cost of a call for each
MORPHEUS_API enum morpheus_runtime_mode morpheus_get_mode(void) MORPHEUS_NOEXCEPT;

MORPHEUS_END_C

#endif
