// SPDX-License-Identifier: GPL-2.0-only
// One run from beginning to end, and its report.
#pragma once

#include <optional>
#include <vector>

#include "tests/sim/checker.hpp"
#include "tests/sim/config.hpp"

namespace morpheus::sim {

struct Run {
  Config config;
  Figures figures;
  std::uint64_t simulated_ns = 0;
  std::uint64_t digest = 0;
  double cpu_seconds = 0;             ///< of the simulation itself
  std::vector<std::uint64_t> ran_ns;  ///< by thread
  std::optional<Violation> violation;
};

[[nodiscard]] Run simulate(const Config& config);
void print(const Run& run, bool json);

}  // namespace morpheus::sim
