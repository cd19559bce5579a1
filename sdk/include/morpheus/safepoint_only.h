/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Safe points for a library whose loops should be able to give way, but which must not depend on
 * libmorpheus. Nothing here needs to be linked. In a program that has libmorpheus loaded, the loops
 * acknowledge hints; in any other a checkpoint costs the same and never fires. Include this instead
 * of the other headers, which must not come before it.
 *
 *     struct morpheus_safepoint sp = morpheus_safepoint_find();
 *     for (...)
 *             morpheus_checkpoint(&sp);
 */
#ifndef MORPHEUS_SAFEPOINT_ONLY_H
#define MORPHEUS_SAFEPOINT_ONLY_H

#define MORPHEUS_HEADER_ONLY 1
#include <morpheus/safepoint.h>

MORPHEUS_BEGIN_C

/// The calling thread's safe point; without libmorpheus in the program, one that never fires.
MORPHEUS_NODISCARD static inline struct morpheus_safepoint
morpheus_safepoint_find(void) MORPHEUS_NOEXCEPT
{
	static const uint64_t no_hint = 0;
	struct morpheus_safepoint never = {&no_hint, 0};

	if (!morpheus_safepoint_get)
		return never;
	return morpheus_safepoint_get();
}

MORPHEUS_END_C

#endif
