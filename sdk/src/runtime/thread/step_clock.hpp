// SPDX-License-Identifier: GPL-2.0-only
// How many steps a thread makes between two looks at the clock. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace morpheus::sdk {

/// For one thread. Times are CLOCK_MONOTONIC, nanoseconds.
class StepClock {
 public:
  /// The clock is looked at about this often, unless a single job takes longer.
  static constexpr std::uint64_t kTickNs = 10'000;
  static constexpr std::int32_t kMostSteps = 256;

  /// The clock shows `now`. Returns in how many steps to look again: so many that they take about
  /// kTickNs, as the last ones did.
  [[nodiscard]] std::int32_t look(std::uint64_t now) {
    const std::uint64_t span = now - last_look_ns_;
    if (span > 2 * kTickNs)
      steps_ = std::max(
          1, static_cast<std::int32_t>(static_cast<std::uint64_t>(steps_) * kTickNs / span));
    else if (span < kTickNs)
      steps_ = std::min(kMostSteps, steps_ * 2);
    last_look_ns_ = now;
    return steps_;
  }
  /// How many steps were made since then, with `left` to go. At least one: the watch then sees that
  /// the thread has been here.
  [[nodiscard]] std::uint64_t steps_made(std::int32_t left) const {
    return static_cast<std::uint64_t>(std::max(1, steps_ - std::max(left, 0)));
  }

 private:
  std::uint64_t last_look_ns_ = 0;
  std::int32_t steps_ = 1;
};

}  // namespace morpheus::sdk
