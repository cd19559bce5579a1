// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/shared/sleeper.hpp"

#include <algorithm>

#include "proto/monotonic_clock.hpp"
#include "sdk/src/sync/futex.hpp"

namespace morpheus::sdk {

using detail::driver;

void Sleeper::wake() {
  if (is_asleep_.exchange(0, std::memory_order_seq_cst) != 1) return;
  if (is_in_driver_.load(std::memory_order_seq_cst))
    seat_.interrupt();
  else
    futex_wake_one(is_asleep_);
}

void Sleeper::sleep(std::uint64_t deadline_ns) {
  if (sleep_in_driver(deadline_ns)) return;
  while (is_asleep_.load(std::memory_order_acquire) == 1) {
    if (deadline_ns == driver::kForever) {
      futex_wait(is_asleep_, 1);
    } else if (monotonic_ns() < deadline_ns) {
      futex_wait(is_asleep_, 1, deadline_ns);
    } else {
      break;
    }
  }
}

/// False: another thread is in the driver, or there is none.
bool Sleeper::sleep_in_driver(std::uint64_t deadline_ns) {
  if (!seat_.take(thread_)) return false;
  is_in_driver_.store(true, std::memory_order_seq_cst);
  driver* const entered = seat_.driver();
  if (entered != nullptr && is_asleep_.load(std::memory_order_seq_cst) == 1) {
    const std::uint64_t now = monotonic_ns();
    entered->wait(deadline_ns == driver::kForever ? deadline_ns
                                                  : deadline_ns - std::min(deadline_ns, now));
  }
  is_in_driver_.store(false, std::memory_order_relaxed);
  seat_.leave(thread_);
  return true;
}

}  // namespace morpheus::sdk
