// SPDX-License-Identifier: GPL-2.0-only
// The runtime mode of a worker: a pure function of what it has met.
#pragma once

#include <atomic>
#include <cstdint>

#include "proto/scb.h"

namespace morpheus::sdk {

/// After this long without a hint a worker is deterministic again; after this long without a lost
/// one it is no longer defensive.
inline constexpr std::uint64_t kQuietNs = 1'000'000'000;
/// How long the last pressure that was seen says something about the present: the window of PSI's
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
  std::uint64_t last_loss_ns = 0;        ///< when hint_loss_count was last seen to rise
  std::uint64_t daemon_gone_ns = 0;      ///< since when; 0 while it is there or never was
  std::uint32_t pressure_when_gone = 0;  ///< the last CPU pressure seen before, percent
};

[[nodiscard]] morpheus_runtime_mode mode_for(const ModeInput& input);

/// Since when the daemon is gone, and how high the CPU pressure was when it went. Written by the
/// registry, read on every worker's slow path.
struct DaemonAbsence {
  std::uint64_t since_ns = 0;  ///< CLOCK_MONOTONIC; 0 while it is there or never was
  std::uint32_t cpu_pressure_pct = 0;

  [[nodiscard]] static DaemonAbsence current() {
    return {since_.load(std::memory_order_acquire), pressure_.load(std::memory_order_relaxed)};
  }
  static void set(const DaemonAbsence& absence) {
    pressure_.store(absence.cpu_pressure_pct, std::memory_order_relaxed);
    since_.store(absence.since_ns, std::memory_order_release);
  }

 private:
  static inline constinit std::atomic<std::uint64_t> since_{0};
  static inline constinit std::atomic<std::uint32_t> pressure_{0};
};

/// What one worker has met, and its mode. For the worker's own thread.
class WorkerMode {
 public:
  void note_hint(std::uint64_t now) { met_.last_hint_ns = now; }
  void note_yield(std::uint64_t now) { last_yield_ns_ = now; }
  /// The kernel line that the worker looks at from now on has counted so many losses already.
  void begin_losses(std::uint32_t count) { losses_ = count; }
  void note_losses(std::uint32_t count, std::uint64_t now) {
    if (count == losses_) return;
    losses_ = count;
    met_.last_loss_ns = now;
  }

  /// Decides the mode anew.
  morpheus_runtime_mode update(std::uint64_t now);
  [[nodiscard]] morpheus_runtime_mode current() const { return mode_; }
  /// Whether a worker in DEFENSIVE yields by itself.
  [[nodiscard]] bool is_yield_due(std::uint64_t now) const {
    return now - last_yield_ns_ >= kEagerYieldNs;
  }

 private:
  ModeInput met_;
  std::uint64_t last_yield_ns_ = 0;
  std::uint32_t losses_ = 0;
  morpheus_runtime_mode mode_ = MORPHEUS_DETERMINISTIC;
};

}  // namespace morpheus::sdk
