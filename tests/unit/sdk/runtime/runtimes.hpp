// SPDX-License-Identifier: GPL-2.0-only
// Schedulers for tests: without a daemon, with one worker or several.
#pragma once

#include <chrono>
#include <morpheus/runtime.hpp>

namespace morpheus::test {

inline void spin_for(std::chrono::nanoseconds span) {
  const auto end = std::chrono::steady_clock::now() + span;
  while (std::chrono::steady_clock::now() < end) {
  }
}

inline runtime_options alone() { return {.threads = 1, .guided = false}; }
inline runtime_options several(unsigned workers = 4) {
  return {.threads = workers, .guided = false};
}

}  // namespace morpheus::test
