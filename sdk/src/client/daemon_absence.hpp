// SPDX-License-Identifier: GPL-2.0-only
// Since when the daemon is gone, and how high the CPU pressure was when it went: what makes workers
// defensive. Written by the registry, read on every worker's slow path.
#pragma once

#include <atomic>
#include <cstdint>

namespace morpheus::sdk {

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

}  // namespace morpheus::sdk
