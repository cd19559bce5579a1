// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/measuring/percentile.hpp"

#include <algorithm>
#include <cmath>

namespace morpheus::bench {
namespace {}  // namespace

double rounded(double us) { return std::round(us * 10) / 10; }

double percentile_us(std::span<const std::uint64_t> samples_ns, double share) {
  if (samples_ns.empty()) return 0;
  std::vector<std::uint64_t> copy(samples_ns.begin(), samples_ns.end());
  const auto last = static_cast<double>(copy.size() - 1);
  const auto at = static_cast<std::ptrdiff_t>(std::ceil(share * last));
  std::nth_element(copy.begin(), copy.begin() + at, copy.end());
  return static_cast<double>(copy[static_cast<std::size_t>(at)]) / kNsPerUs;
}

std::vector<double> tail_us(std::span<const std::uint64_t> samples_ns) {
  std::vector<std::uint64_t> sorted(samples_ns.begin(), samples_ns.end());
  std::ranges::sort(sorted);
  std::vector<double> points;
  for (double beyond = 1; beyond * static_cast<double>(sorted.size()) >= 1;
       beyond *= std::pow(10, -0.1)) {
    const auto last = static_cast<double>(sorted.size() - 1);
    const auto at = static_cast<std::size_t>(std::ceil((1 - beyond) * last));
    points.push_back(rounded(static_cast<double>(sorted[at]) / kNsPerUs));
  }
  return points;
}

}  // namespace morpheus::bench
