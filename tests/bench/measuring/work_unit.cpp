// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/measuring/work_unit.hpp"

#include <algorithm>
#include <limits>

#include "proto/monotonic_clock.hpp"

namespace morpheus::bench {

WorkUnit::WorkUnit(unsigned microseconds) {
  constexpr std::uint64_t kTrialSteps = 1'000'000;
  constexpr int kTrials = 20;
  // The fastest trial is the one that nothing disturbed.
  std::uint64_t best_ns = std::numeric_limits<std::uint64_t>::max();
  for (int trial = 0; trial < kTrials; ++trial) {
    const std::uint64_t start = morpheus::monotonic_ns();
    spin(kTrialSteps);
    best_ns = std::min(best_ns, morpheus::monotonic_ns() - start);
  }
  steps_ = std::max<std::uint64_t>(1, microseconds * 1000ULL * kTrialSteps / best_ns);
}

}  // namespace morpheus::bench
