// SPDX-License-Identifier: GPL-2.0-only
// A lock for a few instructions that never sleep.
#pragma once

#include <morpheus/detail/export.h>

#include <atomic>

namespace morpheus::detail {

class spin_lock {
 public:
  void lock() noexcept {
    if (MORPHEUS_LIKELY(!is_held_.exchange(true, std::memory_order_acquire))) return;
    wait();
    MORPHEUS_NOTE_ACQUIRE(&is_held_);
  }
  void unlock() noexcept { is_held_.store(false, std::memory_order_release); }

 private:
  /// Spins a little, then gives up the CPU: the holder may have lost its own.
  MORPHEUS_API MORPHEUS_COLD void wait() noexcept;

  std::atomic<bool> is_held_{false};
};

}  // namespace morpheus::detail
