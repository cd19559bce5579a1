// SPDX-License-Identifier: GPL-2.0-only
// The load: workers and a probe on one CPU, in a process without privileges.
#pragma once

#include <string>

#include "tests/bench/board.hpp"

namespace morpheus::bench {

struct LoadSpec {
  int cpu = 0;
  unsigned safe_point_us = 50;
  std::string socket;
};

/// Runs in the forked child until the board says quit; gives up root first. Returns the exit
/// status.
[[nodiscard]] int run_load(Board& board, const LoadSpec& spec);

}  // namespace morpheus::bench
