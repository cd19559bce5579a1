// SPDX-License-Identifier: GPL-2.0-only
// Percentiles of a latency in constant memory: a log-linear histogram, 32 buckets for each power of
// two, so that a reported value is at most 1/32 (about 3 %) above the true one.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace morpheus::daemon {

class LatencyHistogram {
 public:
  void add(std::uint64_t value);
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  /// The smallest bound that `percent` (0-100) of the values do not exceed; 0 if there are none.
  [[nodiscard]] std::uint64_t percentile(double percent) const;

  /// The bucket of a value, and the largest value that falls into a bucket. Pure.
  [[nodiscard]] static std::size_t bucket_of(std::uint64_t value);
  [[nodiscard]] static std::uint64_t upper_bound(std::size_t bucket);

 private:
  static constexpr int kBits = 5;
  static constexpr std::size_t kPerPower = std::size_t{1} << kBits;
  std::array<std::uint64_t, (64 - kBits + 1) * kPerPower> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace morpheus::daemon
