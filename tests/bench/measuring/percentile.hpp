// SPDX-License-Identifier: GPL-2.0-only
// Quantiles of what a probe met.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace morpheus::bench {

inline constexpr double kNsPerUs = 1000.0;

/// To a tenth.
[[nodiscard]] double rounded(double us);

/// The value that `share` (0-1) of the samples do not exceed, in microseconds; 0 if there are none.
[[nodiscard]] double percentile_us(std::span<const std::uint64_t> samples_ns, double share);

/// The value that a share of 1 - 10^(-i/10) of the samples do not exceed, for i from 0 on, as far
/// as the samples go: points that are equally far apart on a plot of the tail.
[[nodiscard]] std::vector<double> tail_us(std::span<const std::uint64_t> samples_ns);

}  // namespace morpheus::bench
