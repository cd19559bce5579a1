// SPDX-License-Identifier: GPL-2.0-only
// The slow paths of the locks.
#include <morpheus/detail/biased_lock.hpp>
#include <morpheus/detail/spin_lock.hpp>

#include "sdk/src/sync/futex.hpp"
#include "sdk/src/sync/spin.hpp"

namespace morpheus::detail {

using sdk::spin_until;

void spin_lock::wait() noexcept {
  do {
    spin_until([this] { return !is_held_.load(std::memory_order_relaxed); });
  } while (is_held_.exchange(true, std::memory_order_acquire));
}

void biased_lock::wait() noexcept {
  spin_until([this] {
    return !is_held_.load(std::memory_order_relaxed) &&
           !is_held_.exchange(true, std::memory_order_acquire);
  });
}

void biased_lock::settle() noexcept {
  runner* const favoured = favours_.load(std::memory_order_relaxed);
  if (favoured == nullptr && here->is_alone()) {
    inside_.store(here, std::memory_order_relaxed);
    favours_.store(here, std::memory_order_relaxed);
    is_held_.store(false, std::memory_order_release);
    return;
  }
  favours_.store(no_runner(), std::memory_order_release);
  if (favoured == nullptr) return;
  sdk::barrier_on_all_threads();
  // The favoured runner is inside, and seen here, or will see that it is favoured no more.
  spin_until([this] { return inside_.load(std::memory_order_acquire) == nullptr; });
}

}  // namespace morpheus::detail
