/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fast path: safe points and critical sections, inline. A checkpoint without a hint is one
 * load, one compare and one branch; a critical section is one increment and one decrement without
 * fences.
 *
 * No fence is needed: the kernel decides to take a CPU only while it interrupts the very thread
 * that runs there, so the program order of that CPU is all that the two sides must agree on.
 */
#ifndef MORPHEUS_SAFEPOINT_H
#define MORPHEUS_SAFEPOINT_H

#include <morpheus/detail/export.h>
#include <stdbool.h>
#include <stdint.h>

MORPHEUS_BEGIN_C

/// Where a thread looks for hints, and what it has acknowledged. Hold it by value, best in a local
/// variable around the loop that checks it: both fields then stay in registers.
/// Valid from morpheus_safepoint_get() until the thread unregisters; a copy that moves to another
/// registered thread corrects itself at its next slow path. Never points at memory that goes away.
struct morpheus_safepoint {
	const uint64_t *seq; /**< the kernel's hint counter for this worker */
	uint64_t seen;       /**< its value when last acknowledged */
};

/// A worker. Lives as long as its thread; only that thread may use it.
struct morpheus_thread {
	uint32_t *critical; /**< nesting depth of critical sections; the kernel reads it */
};

/// What the slow path hands back. By value, so that the caller's safe point never has its address
/// taken.
struct morpheus_answer {
	struct morpheus_safepoint next;
	bool asked; /**< another thread waits for this CPU */
};

/// The calling thread's safe point. On a thread that is not registered: one that never fires.
MORPHEUS_NODISCARD MORPHEUS_API MORPHEUS_MAYBE_ABSENT struct morpheus_safepoint
morpheus_safepoint_get(void) MORPHEUS_NOEXCEPT;

/// Slow path of morpheus_acknowledge(): acknowledges what has changed. Inside a critical section it
/// acknowledges nothing, so that every checkpoint comes here again until the section ends.
MORPHEUS_NODISCARD MORPHEUS_API MORPHEUS_COLD MORPHEUS_MAYBE_ABSENT struct morpheus_answer
morpheus_answer_hint(struct morpheus_safepoint at) MORPHEUS_NOEXCEPT;

/// Slow path of morpheus_checkpoint(): the same, and gives up the CPU if asked.
MORPHEUS_NODISCARD MORPHEUS_API MORPHEUS_COLD MORPHEUS_MAYBE_ABSENT struct morpheus_answer
morpheus_answer_and_yield(struct morpheus_safepoint at) MORPHEUS_NOEXCEPT;

/// Whether something has changed since the last acknowledgement: mostly, there is a hint.
/// Acknowledges nothing. A runtime that must do something before it gives up the CPU (make queued
/// work stealable) calls this, does it, and then calls morpheus_acknowledge().
MORPHEUS_NODISCARD static inline bool
morpheus_asked(const struct morpheus_safepoint *sp) MORPHEUS_NOEXCEPT
{
	return !MORPHEUS_LIKELY(__atomic_load_n(sp->seq, __ATOMIC_RELAXED) == sp->seen);
}

/// A safe point that does everything: if there is a hint, acknowledges it and gives up the CPU.
/// Returns true if the CPU was given up. A hint that was withdrawn in the meantime is acknowledged
/// without giving up the CPU; inside a critical section nothing happens.
static inline bool morpheus_checkpoint(struct morpheus_safepoint *sp) MORPHEUS_NOEXCEPT
{
	if (!morpheus_asked(sp))
		return false;
	struct morpheus_answer answer = morpheus_answer_and_yield(*sp);
	*sp = answer.next;
	return answer.asked;
}

/// A safe point for a caller that gives up the CPU itself: acknowledges, and returns true if the
/// caller should now call morpheus_yield().
MORPHEUS_NODISCARD static inline bool
morpheus_acknowledge(struct morpheus_safepoint *sp) MORPHEUS_NOEXCEPT
{
	if (!morpheus_asked(sp))
		return false;
	struct morpheus_answer answer = morpheus_answer_hint(*sp);
	*sp = answer.next;
	return answer.asked;
}

#ifndef MORPHEUS_HEADER_ONLY
/// The calling thread's own safe point, for code that has no place to store one.
extern MORPHEUS_API __thread struct morpheus_safepoint morpheus_here
	__attribute__((tls_model("initial-exec")));

/// morpheus_asked() of the thread's own safe point. A runtime may make it fire by itself: other
/// threads may store to morpheus_here.seen, atomically.
MORPHEUS_NODISCARD static inline bool morpheus_asked_here(void) MORPHEUS_NOEXCEPT
{
	return !MORPHEUS_LIKELY(__atomic_load_n(morpheus_here.seq, __ATOMIC_RELAXED) ==
				__atomic_load_n(&morpheus_here.seen, __ATOMIC_RELAXED));
}

/// morpheus_checkpoint() on the thread's own safe point: two instructions more.
static inline bool morpheus_checkpoint_here(void) MORPHEUS_NOEXCEPT
{
	return morpheus_checkpoint(&morpheus_here);
}

/// The same out of line, for callers that cannot inline C.
MORPHEUS_API bool morpheus_checkpoint_call(void) MORPHEUS_NOEXCEPT;
#endif

/// Enters a critical section; they nest. The kernel defers the end of the slice and never escalates
/// until the section ends, up to the operator's hold cap: keep it short.
static inline void morpheus_critical_enter(struct morpheus_thread *self) MORPHEUS_NOEXCEPT
{
	++*self->critical;
	__asm__ volatile("" ::: "memory");
}

/// Leaves the innermost critical section. Does not check for hints: the next safe point does.
static inline void morpheus_critical_exit(struct morpheus_thread *self) MORPHEUS_NOEXCEPT
{
	__asm__ volatile("" ::: "memory");
	--*self->critical;
}

MORPHEUS_END_C

#endif
