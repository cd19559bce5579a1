// SPDX-License-Identifier: GPL-2.0-only
// Whether a worker has lost its CPU, by its kernel line: cpu_time_ns moves when it is switched
// away, wait_time_ns when it comes back after waiting. Pure.
#pragma once

#include <cstdint>

namespace morpheus::sdk {

class OffCpu {
 public:
  /// Takes note of what the line says now. `has_stepped`: the worker has run since the last time.
  /// Returns whether it has been switched away and nothing tells that it came back. What came first
  /// since the last time is not known: who steps, or comes back, and is switched away is taken to
  /// be off, as the one is that loses its CPU to who looks.
  bool look(std::uint64_t cpu_time_ns, std::uint64_t wait_time_ns, bool has_stepped) {
    const bool left = cpu_time_ns != cpu_time_ns_;
    const bool came_back = wait_time_ns != wait_time_ns_;
    cpu_time_ns_ = cpu_time_ns;
    wait_time_ns_ = wait_time_ns;
    if (left)
      is_off_ = true;
    else if (has_stepped || came_back)
      is_off_ = false;
    return is_off_;
  }

 private:
  std::uint64_t cpu_time_ns_ = 0;
  std::uint64_t wait_time_ns_ = 0;
  bool is_off_ = false;
};

}  // namespace morpheus::sdk
