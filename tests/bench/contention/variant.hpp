// SPDX-License-Identifier: GPL-2.0-only
// What the workers do at a safe point: the one thing that differs between the loads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace morpheus::bench {

enum class AtSafePoint : std::uint8_t {
  nothing,  ///< the scheduler decides alone
  yield,    ///< sched_yield at every one
  heed      ///< yield when the kernel asks
};

/// The three loads of the contention benchmark.
enum class Variant : std::size_t { alone, naive, morpheus };

inline constexpr std::array kVariants{Variant::alone, Variant::naive, Variant::morpheus};

[[nodiscard]] constexpr std::size_t index(Variant variant) {
  return static_cast<std::size_t>(variant);
}

inline constexpr std::array kVariantNames{"alone", "naive", "morpheus"};
[[nodiscard]] constexpr const char* name(Variant variant) { return kVariantNames[index(variant)]; }

[[nodiscard]] constexpr AtSafePoint at_safe_point(Variant variant) {
  constexpr std::array kDone{AtSafePoint::nothing, AtSafePoint::yield, AtSafePoint::heed};
  return kDone[index(variant)];
}

}  // namespace morpheus::bench
