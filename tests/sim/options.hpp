// SPDX-License-Identifier: GPL-2.0-only
// The command line of sim.
#pragma once

#include <string>

#include "tests/sim/config.hpp"

namespace morpheus::sim {

struct Options {
  Config config;
  std::uint32_t seeds = 1;  ///< this many runs, from config.seed on
  bool json = false, scale = false, help = false;
  std::string expect;  ///< the rule that must be found broken
};

extern const char* const kUsage;

/// Throws std::invalid_argument.
[[nodiscard]] Options parse_options(int argc, const char* const* argv);

}  // namespace morpheus::sim
