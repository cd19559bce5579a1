// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/witness/witness.h"

namespace morpheus::bench {

/// The witness watches these and the probe.
inline constexpr unsigned kMostWorkers = WITNESS_MAX_THREADS - 1;

struct ContentionOptions {
  std::string mode = "observer";
  unsigned seconds = 5;  ///< of each variant
  unsigned workers = 4;
  unsigned safe_point_us = 50;
  int cpu = -1;
  bool json = false;
  std::vector<std::string> tunables;  ///< "grace_ns=2000000"
  std::string trace;                  ///< record a trace of a round of Morpheus' into this file
  bool probe_native = false;          ///< only find out whether the daemon can run here
};

/// Nothing after --help. Exits with 64 on a usage error.
[[nodiscard]] std::optional<ContentionOptions> parse_contention_options(int argc, char** argv);

}  // namespace morpheus::bench
