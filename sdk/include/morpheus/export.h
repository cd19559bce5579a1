/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the names of libmorpheus are exported and marked. Included by the other headers.
 */
#ifndef MORPHEUS_EXPORT_H
#define MORPHEUS_EXPORT_H

#define MORPHEUS_API __attribute__((visibility("default")))
/* See safepoint_only.h. */
#ifdef MORPHEUS_HEADER_ONLY
#define MORPHEUS_MAYBE_ABSENT __attribute__((weak))
#else
#define MORPHEUS_MAYBE_ABSENT
#endif
/* Out of line and out of the way: the code around a checkpoint stays as if it were not there. */
#define MORPHEUS_COLD __attribute__((cold, noinline))
#define MORPHEUS_LIKELY(condition) __builtin_expect(!!(condition), 1)

#ifdef __cplusplus
#define MORPHEUS_BEGIN_C extern "C" {
#define MORPHEUS_END_C }
#define MORPHEUS_NOEXCEPT noexcept
#define MORPHEUS_NODISCARD [[nodiscard]]
#else
#define MORPHEUS_BEGIN_C
#define MORPHEUS_END_C
#define MORPHEUS_NOEXCEPT
#define MORPHEUS_NODISCARD __attribute__((warn_unused_result))
#endif

#endif
