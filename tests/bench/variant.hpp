// SPDX-License-Identifier: GPL-2.0-only
// What the workers do at a safe point: the one thing that differs between the three loads.
#pragma once

#include <array>
#include <cstddef>

namespace morpheus::bench {

enum class Variant : std::size_t {
  alone,    ///< nothing: the kernel decides alone
  naive,    ///< sched_yield at every one
  morpheus  ///< yield when the kernel asks
};

inline constexpr std::array kVariants{Variant::alone, Variant::naive, Variant::morpheus};

[[nodiscard]] constexpr std::size_t index(Variant variant) {
  return static_cast<std::size_t>(variant);
}

[[nodiscard]] constexpr const char* name(Variant variant) {
  constexpr std::array kNames{"alone", "naive", "morpheus"};
  return kNames[index(variant)];
}

}  // namespace morpheus::bench
