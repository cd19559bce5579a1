// SPDX-License-Identifier: GPL-2.0-only
// The clock on the wall, for times of the monotonic clock, which the daemon and the kernel give.
#pragma once

#include <time.h>

#include <cstdint>

#include "proto/monotonic_clock.hpp"

namespace morpheus::ctl {

class WallClock {
 public:
  WallClock() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    ahead_ns_ = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                static_cast<std::uint64_t>(now.tv_nsec) - monotonic_ns();
  }
  /// CLOCK_REALTIME at that time of CLOCK_MONOTONIC, as far as nothing has set the clock since.
  [[nodiscard]] std::uint64_t realtime_ns(std::uint64_t time_ns) const {
    return time_ns + ahead_ns_;
  }

 private:
  std::uint64_t ahead_ns_ = 0;
};

}  // namespace morpheus::ctl
