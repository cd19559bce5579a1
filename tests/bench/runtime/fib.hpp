// SPDX-License-Identifier: GPL-2.0-only
// Fork and join: fib, where each call forks one call and makes one.
#pragma once

#include <cmath>
#include <cstdlib>

#include "subject.hpp"

namespace bench {

/// fib(32), or less for less work: a call is taken to cost the same.
inline unsigned fib_for(const Run& run, unsigned full = 32) {
  const double less = std::log(std::max(run.work, 1e-5)) / std::log(0.6180339887);
  return static_cast<unsigned>(std::max(8.0, full - std::max(0.0, less)));
}

inline void report_fib(unsigned n, std::uint64_t result, double seconds) {
  std::uint64_t value = 0, next = 1, calls = 1, next_calls = 1;
  for (unsigned i = 0; i < n; ++i) {
    value = std::exchange(next, value + next);
    calls = std::exchange(next_calls, calls + next_calls + 1);
  }
  if (result != value) std::abort();
  report("call", seconds / static_cast<double>(calls) * 1e9);
}

}  // namespace bench
