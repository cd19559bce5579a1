// SPDX-License-Identifier: GPL-2.0-only
// The one clock for shared memory and events.
#pragma once

#include <cstdint>
#include <ctime>

namespace morpheus {

inline constexpr std::uint64_t kSecond = 1'000'000'000;

/// CLOCK_MONOTONIC in nanoseconds.
[[nodiscard]] inline std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace morpheus
