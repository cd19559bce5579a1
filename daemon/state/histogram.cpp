// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace morpheus::daemon {

std::size_t LatencyHistogram::bucket_of(std::uint64_t value) {
  if (value < kPerPower) return value;
  const int shift = static_cast<int>(std::bit_width(value)) - 1 - kBits;
  return (static_cast<std::size_t>(shift) << kBits) + (value >> shift);
}

std::uint64_t LatencyHistogram::upper_bound(std::size_t bucket) {
  if (bucket < kPerPower) return bucket;
  const int shift = static_cast<int>(bucket >> kBits) - 1;
  const std::uint64_t first = kPerPower + (bucket & (kPerPower - 1));
  // for the last bucket of all the shift overflows to 0 and the result is the largest value
  return ((first + 1) << shift) - 1;
}

void LatencyHistogram::add(std::uint64_t value) {
  ++buckets_[bucket_of(value)];
  ++count_;
  max_ = std::max(max_, value);
}

std::uint64_t LatencyHistogram::percentile(double percent) const {
  if (count_ == 0) return 0;
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100.0)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(upper_bound(i), max_);
  }
  return max_;
}

}  // namespace morpheus::daemon
