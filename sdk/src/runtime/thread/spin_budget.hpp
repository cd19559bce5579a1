// SPDX-License-Identifier: GPL-2.0-only
// How long a worker without work looks for some before it sleeps. Looking spares a sleep and a
// wake-up, tens of microseconds, but takes CPU for nothing if no work comes: so much of it is
// bounded.
#pragma once

#include <algorithm>
#include <cstdint>

namespace morpheus::sdk {

/// For one thread. Times are CLOCK_MONOTONIC, nanoseconds.
class SpinBudget {
 public:
  static constexpr std::uint64_t kLongestNs =
      50'000;                                        ///< a wake-up of an idle CPU takes up to that
  static constexpr std::uint64_t kLeastNs = 4'000;   ///< less is not worth the while
  static constexpr std::uint64_t kMostNs = 200'000;  ///< that may be spent in vain at a stretch
  static constexpr std::uint64_t kShare = 50;  ///< of all time, one in so many may be spent in vain

  /// How long to look now; 0: not at all.
  [[nodiscard]] std::uint64_t window(std::uint64_t now) {
    left_ = std::min(kMostNs, left_ + (now - refilled_) / kShare);
    refilled_ = now;
    return left_ < kLeastNs ? 0 : std::min(left_, kLongestNs);
  }
  /// It looked for so long; `found`: and work came.
  void spend(std::uint64_t ns, bool found) {
    left_ = found ? kMostNs : left_ - std::min(left_, ns);
  }

 private:
  std::uint64_t left_ = kMostNs;
  std::uint64_t refilled_ = 0;
};

}  // namespace morpheus::sdk
