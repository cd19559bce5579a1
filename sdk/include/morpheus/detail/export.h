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

/* Whether this code is compiled for a sanitizer that follows memory or threads. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MORPHEUS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define MORPHEUS_SANITIZED 1
#endif
#endif
#ifndef MORPHEUS_SANITIZED
#define MORPHEUS_SANITIZED 0
#endif

/* What ThreadSanitizer cannot see: the library that hands things on is not compiled for it. */
#if defined(__SANITIZE_THREAD__)
#define MORPHEUS_RACES_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MORPHEUS_RACES_CHECKED 1
#endif
#endif
#if defined(MORPHEUS_RACES_CHECKED) && defined(__cplusplus)
extern "C" void __tsan_acquire(void *of);
extern "C" void __tsan_release(void *of);
#define MORPHEUS_NOTE_ACQUIRE(what) __tsan_acquire(what)
#define MORPHEUS_NOTE_RELEASE(what) __tsan_release(what)
#else
#define MORPHEUS_NOTE_ACQUIRE(what) ((void)0)
#define MORPHEUS_NOTE_RELEASE(what) ((void)0)
#endif

#ifdef __cplusplus
#define MORPHEUS_BEGIN_C extern "C" {
#define MORPHEUS_END_C }
#define MORPHEUS_NOEXCEPT noexcept
#else
#define MORPHEUS_BEGIN_C
#define MORPHEUS_END_C
#define MORPHEUS_NOEXCEPT
#endif
/* A cast to void silences the standard's attribute only, which C++11 and C11 do not know. */
#if defined(__cplusplus) && __cplusplus >= 201703L
#define MORPHEUS_NODISCARD [[nodiscard]]
#else
#define MORPHEUS_NODISCARD __attribute__((warn_unused_result))
#endif

#endif
