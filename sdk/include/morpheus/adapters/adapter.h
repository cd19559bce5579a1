/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a language runtime calls to be guided by the kernel: five operations, all about the calling
 * thread, which should be a worker (morpheus_worker_register(), state RUNNING). On any other thread
 * they do nothing, except that morpheus_yield_worker() gives up the CPU. The C++ concept for the
 * same is LanguageAdapter in language_adapter.hpp; docs/runtime.md shows adapters for several kinds
 * of runtime.
 */
#ifndef MORPHEUS_ADAPTER_H
#define MORPHEUS_ADAPTER_H

#include <morpheus/morpheus.h>

MORPHEUS_BEGIN_C

/// Languages, by where their code can be preempted.
enum morpheus_language {
	MORPHEUS_LANGUAGE_NATIVE = 0,      /**< C, C++, Rust: anywhere outside critical sections */
	MORPHEUS_LANGUAGE_INTERPRETED = 1, /**< one global lock, as Python: only at safe points */
};

/// 1. Safe point: here the thread may stop. Acknowledges a hint and gives up the CPU.
static inline void morpheus_enter_safe_point(void) MORPHEUS_NOEXCEPT
{
	(void)morpheus_checkpoint_here();
}

/// 2. Checkpoint: acknowledges a hint. True: the runtime should put its work where other threads
/// can take it, and then call morpheus_yield_worker().
MORPHEUS_NODISCARD static inline bool morpheus_enter_checkpoint(void) MORPHEUS_NOEXCEPT
{
	return morpheus_acknowledge(&morpheus_here);
}

/// 3. Critical section: the thread must not be stopped until it leaves it. They nest.
MORPHEUS_API void morpheus_enter_critical(void) MORPHEUS_NOEXCEPT;
MORPHEUS_API void morpheus_leave_critical(void) MORPHEUS_NOEXCEPT;

/// 4. Yield: gives up the CPU now.
static inline void morpheus_yield_worker(void) MORPHEUS_NOEXCEPT
{
	morpheus_yield();
}

/// 5. Default escapable: whether threads of such a language may be preempted outside critical
/// sections; the argument for morpheus_set_escapable().
static inline bool morpheus_default_escapable(enum morpheus_language language) MORPHEUS_NOEXCEPT
{
	return language == MORPHEUS_LANGUAGE_NATIVE;
}

MORPHEUS_END_C

#endif
