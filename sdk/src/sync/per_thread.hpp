// SPDX-License-Identifier: GPL-2.0-only
// An object for each thread that asks for it. In a key of pthreads: memory for thread-local objects
// of a library that is loaded late is scarce, and shared by all such libraries.
#pragma once

#include <pthread.h>

#include <memory>
#include <new>
#include <system_error>

namespace morpheus::sdk {

/// For static objects. The object ends with its thread, but not with the process.
template <class T>
class PerThread {
 public:
  PerThread() {
    const int error =
        ::pthread_key_create(&key_, [](void* object) { delete static_cast<T*>(object); });
    if (error != 0) throw std::system_error(error, std::generic_category(), "make a thread key");
  }
  PerThread(const PerThread&) = delete;
  PerThread& operator=(const PerThread&) = delete;

  /// The calling thread's; made by the first call. Throws std::bad_alloc.
  [[nodiscard]] T& get() const {
    if (void* const found = ::pthread_getspecific(key_)) return *static_cast<T*>(found);
    auto made = std::make_unique<T>();
    if (::pthread_setspecific(key_, made.get()) != 0) throw std::bad_alloc();
    return *made.release();
  }

 private:
  pthread_key_t key_{};
};

}  // namespace morpheus::sdk
