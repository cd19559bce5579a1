// SPDX-License-Identifier: GPL-2.0-only
// How one thread of a runtime sleeps, in the driver if it gets that seat, and how others wake it.
#pragma once

#include <atomic>
#include <cstdint>

#include "sdk/src/runtime/shared/driver_seat.hpp"

namespace morpheus::sdk {

class Sleeper {
 public:
  Sleeper(DriverSeat& seat, unsigned thread) : seat_(seat), thread_(thread) {}

  // --- Any thread
  /// Ends the sleep. At most one futex(2).
  void wake();
  [[nodiscard]] bool is_asleep() const { return is_asleep_.load(std::memory_order_relaxed) != 0; }

  // --- The owner
  /// From here on wake() counts. Then the owner looks whether there is anything to do.
  void begin() { is_asleep_.store(1, std::memory_order_seq_cst); }
  void end() { is_asleep_.store(0, std::memory_order_relaxed); }
  /// Between the two: until wake(), or `deadline_ns` (CLOCK_MONOTONIC; driver::kForever).
  void sleep(std::uint64_t deadline_ns);

 private:
  [[nodiscard]] bool sleep_in_driver(std::uint64_t deadline_ns);

  DriverSeat& seat_;
  const unsigned thread_;
  std::atomic<bool> is_in_driver_{false};
  std::atomic<std::uint32_t> is_asleep_{0};
};

}  // namespace morpheus::sdk
