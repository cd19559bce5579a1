// SPDX-License-Identifier: GPL-2.0-only
// What ThreadSanitizer in a program must be told by a library that is not compiled for it: that a
// job, on its way from thread to thread, orders what its threads do.
#pragma once

extern "C" {
[[gnu::weak]] void __tsan_acquire(void* of);  // NOLINT: the sanitizer's names
[[gnu::weak]] void __tsan_release(void* of);  // NOLINT
}

namespace morpheus::sdk {

/// The calling thread goes on with what others have let go of.
inline void note_acquire(void* what) {
  if (__tsan_acquire != nullptr) __tsan_acquire(what);
}
/// The calling thread lets go of it.
inline void note_release(void* what) {
  if (__tsan_release != nullptr) __tsan_release(what);
}

}  // namespace morpheus::sdk
