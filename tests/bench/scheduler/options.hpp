// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace morpheus::bench {

struct SchedulerOptions {
  std::vector<std::string> parts;  ///< empty: all
  unsigned rounds = 3;
  double seconds = 2;             ///< of each subject in each round
  unsigned workers = 4;           ///< of the part latency
  unsigned safe_point_us = 50;    ///< of the part latency
  unsigned opportunities = 2000;  ///< of the part starvation
  bool json = false;
};

/// Nothing after --help or --list. Exits with 64 on a usage error.
[[nodiscard]] std::optional<SchedulerOptions> parse_scheduler_options(int argc, char** argv);

}  // namespace morpheus::bench
