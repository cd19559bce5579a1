// SPDX-License-Identifier: GPL-2.0-only
// A piece of work that takes a given time on an idle CPU, and the same number of steps always.
#pragma once

#include <cstdint>

namespace morpheus::bench {

class WorkUnit {
 public:
  /// Measures how fast the calling thread's CPU is; takes some 50 ms of it.
  explicit WorkUnit(unsigned microseconds);

  void operator()() const { spin(steps_); }

 private:
  // One copy: where the compiler puts a loop decides how fast it is, by several percent.
  [[gnu::noinline]] static void spin(std::uint64_t steps) {
    std::uint64_t state = steps;
    for (std::uint64_t i = 0; i < steps; ++i) {
      state = state * 6364136223846793005U + 1;
      __asm__ volatile("" : "+r"(state));
    }
  }

  std::uint64_t steps_ = 1;
};

}  // namespace morpheus::bench
