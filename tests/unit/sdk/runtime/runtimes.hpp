// SPDX-License-Identifier: GPL-2.0-only
// Runtimes for tests: without a daemon, with one thread or several.
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
inline runtime_options several(unsigned threads = 4) {
  return {.threads = threads, .guided = false};
}

}  // namespace morpheus::test
