// SPDX-License-Identifier: GPL-2.0-only
#include <morpheus/detail/biased_lock.hpp>

#include <sched.h>

#include "sdk/src/sync/cpu_relax.hpp"
#include "sdk/src/sync/futex.hpp"

namespace morpheus::detail {
namespace {

/// Spins a little, then gives up the CPU: the holder may have lost its own.
template <class F>
void spin_until(F is_over) {
  for (int i = 0; !is_over(); ++i) {
    if (i < 100)
      sdk::cpu_relax();
    else
      (void)::sched_yield();
  }
}

}  // namespace

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
