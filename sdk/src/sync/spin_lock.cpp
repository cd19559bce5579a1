// SPDX-License-Identifier: GPL-2.0-only
#include <morpheus/detail/spin_lock.hpp>

#include <sched.h>

#include "sdk/src/sync/cpu_relax.hpp"

namespace morpheus::detail {

void spin_lock::wait() noexcept {
  constexpr int kSpins = 100;
  do {
    for (int i = 0; is_held_.load(std::memory_order_relaxed); ++i) {
      if (i < kSpins)
        sdk::cpu_relax();
      else
        (void)::sched_yield();
    }
  } while (is_held_.exchange(true, std::memory_order_acquire));
}

}  // namespace morpheus::detail
