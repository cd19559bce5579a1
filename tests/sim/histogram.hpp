// SPDX-License-Identifier: GPL-2.0-only
// Durations in buckets of one sixteenth of a power of two: quantiles within 7 % at a fixed cost.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace morpheus::sim {

class Histogram {
 public:
  void add(std::uint64_t value) {
    ++buckets_[bucket(value)];
    ++count_;
    if (value > max_) max_ = value;
  }
  void add(const Histogram& other) {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    if (other.max_ > max_) max_ = other.max_;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }

  /// The upper bound of the first bucket at or below which `per_mille` of all values lie.
  [[nodiscard]] std::uint64_t quantile(std::uint64_t per_mille) const {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen * 1000 >= count_ * per_mille && seen != 0) return upper(i) < max_ ? upper(i) : max_;
    }
    return max_;
  }

 private:
  static std::size_t bucket(std::uint64_t value) {
    if (value < 16) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 5;
    return 16 * (shift + 1) + ((value >> shift) & 15);
  }
  static std::uint64_t upper(std::size_t index) {
    if (index < 16) return index;
    const auto shift = index / 16 - 1;
    return ((16 + index % 16 + 1) << shift) - 1;
  }
  std::array<std::uint64_t, 16 * 61> buckets_{};
  std::uint64_t count_ = 0, max_ = 0;
};

}  // namespace morpheus::sim
