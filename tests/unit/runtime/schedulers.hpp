// SPDX-License-Identifier: GPL-2.0-only
// Schedulers for tests: without a daemon, with one worker or several.
#pragma once

#include <chrono>
#include <morpheus/scheduler.hpp>

namespace morpheus::test {

inline void spin_for(std::chrono::nanoseconds span) {
  const auto end = std::chrono::steady_clock::now() + span;
  while (std::chrono::steady_clock::now() < end) {
  }
}

inline scheduler_options alone() { return {.workers = 1, .guided = false}; }
inline scheduler_options several(unsigned workers = 4) {
  return {.workers = workers, .guided = false};
}

}  // namespace morpheus::test
