// SPDX-License-Identifier: GPL-2.0-only
// In which runtime mode a worker is: a pure function of what it has met.
#pragma once

#include <cstdint>

#include "proto/scb.h"

namespace morpheus::sdk {

/// After this long without a hint a worker is deterministic again; after this long without a lost
/// one it is no longer defensive.
inline constexpr std::uint64_t kQuietNs = 1'000'000'000;
/// How long the last pressure that was seen says anything about the present: the window of PSI
/// avg10.
inline constexpr std::uint64_t kPressureMemoryNs = 10'000'000'000;
/// CPU pressure from which the loss of the daemon is a reason to yield eagerly, percent.
inline constexpr std::uint32_t kHighPressurePct = 20;
/// In DEFENSIVE, a checkpoint gives up the CPU if it was kept for this long.
inline constexpr std::uint64_t kEagerYieldNs = 1'000'000;

/// Times are CLOCK_MONOTONIC nanoseconds; 0 means never.
struct ModeInput {
  std::uint64_t now_ns = 0;
  std::uint64_t last_hint_ns = 0;
  std::uint64_t last_loss_ns = 0;        ///< when a rise of hint_loss_count was last noticed
  std::uint64_t daemon_gone_ns = 0;      ///< since when; 0 while it is there or never was
  std::uint32_t pressure_when_gone = 0;  ///< the last CPU pressure seen before, percent
};

[[nodiscard]] morpheus_runtime_mode mode_for(const ModeInput& input);

}  // namespace morpheus::sdk
