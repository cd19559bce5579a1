// SPDX-License-Identifier: GPL-2.0-only
// The sleep of the watch (see watch.hpp) while all threads sleep, and how a thread that wakes ends
// it.
#pragma once

#include <atomic>
#include <cstdint>

#include "sdk/src/sync/futex.hpp"

namespace morpheus::sdk {

class WatchSleep {
 public:
  /// A thread of the runtime has woken up. A futex(2) only if the watch sleeps.
  void notice_wake() {
    if (is_asleep_.load(std::memory_order_relaxed) != 0) end();
  }
  void end() {
    if (is_asleep_.exchange(0, std::memory_order_acq_rel) != 0) futex_wake_one(is_asleep_);
  }

  // --- The watch
  /// From here on end() counts. A thread that did not see it has woken, and is seen awake.
  void begin() {
    is_asleep_.store(1, std::memory_order_relaxed);
    barrier_on_all_threads();
  }
  void wait() const {
    while (is_asleep_.load(std::memory_order_acquire) != 0) futex_wait(is_asleep_, 1);
  }
  void cancel() { is_asleep_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> is_asleep_{0};
};

}  // namespace morpheus::sdk
