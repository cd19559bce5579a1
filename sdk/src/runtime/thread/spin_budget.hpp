// SPDX-License-Identifier: GPL-2.0-only
// How long a thread without work looks for some before it sleeps. Looking saves a sleep and a
// wakeup, tens of microseconds, but wastes CPU if no work comes: what is wasted is bounded.
#pragma once

#include <algorithm>
#include <cstdint>

namespace morpheus::sdk {

/// For one thread. Times are CLOCK_MONOTONIC, nanoseconds.
class SpinBudget {
 public:
  static constexpr std::uint64_t kLongestNs = 50'000;  ///< a wakeup of an idle CPU takes up to that
  static constexpr std::uint64_t kLeastNs = 4'000;     ///< less is not worthwhile
  static constexpr std::uint64_t kMostNs = 200'000;    ///< may be wasted at a stretch
  static constexpr std::uint64_t kShare = 50;          ///< 1/kShare of all time may be wasted

  /// How long to look now; 0: not at all.
  [[nodiscard]] std::uint64_t window(std::uint64_t now) {
    left_ = std::min(kMostNs, left_ + (now - refilled_) / kShare);
    refilled_ = now;
    return left_ < kLeastNs ? 0 : std::min(left_, kLongestNs);
  }
  /// The thread has looked for so long; `found`: and work came.
  void spend(std::uint64_t ns, bool found) {
    left_ = found ? kMostNs : left_ - std::min(left_, ns);
  }

 private:
  std::uint64_t left_ = kMostNs;
  std::uint64_t refilled_ = 0;
};

}  // namespace morpheus::sdk
