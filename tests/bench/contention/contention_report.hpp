// SPDX-License-Identifier: GPL-2.0-only
// What a run found, and the two ways to print it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "proto/json.hpp"
#include "tests/bench/contention/contention_options.hpp"
#include "tests/bench/contention/variant.hpp"
#include "tests/bench/measuring/daemon_under_test.hpp"
#include "tests/bench/measuring/percentile.hpp"
#include "tests/bench/measuring/testimony.hpp"

namespace morpheus::bench {

struct VariantFindings {
  double probe_p50_us = 0;
  double probe_p99_us = 0;
  double probe_p999_us = 0;
  std::vector<double> lateness_us;  ///< see tail_us()
  std::uint64_t yields = 0;
  std::uint64_t work = 0;  ///< units of safe_point_us
  std::optional<Testimony> testimony;
};

struct Findings {
  std::string kernel;
  std::array<VariantFindings, kVariants.size()> variants;
  HintCounts hints;
  AckLatency ack;
};

/// As tests/bench/results.schema.json has it.
[[nodiscard]] nlohmann::ordered_json results_of(const Findings& findings,
                                                const ContentionOptions& options);
[[nodiscard]] std::string to_table(const Findings& findings, const ContentionOptions& options);

}  // namespace morpheus::bench
