// SPDX-License-Identifier: GPL-2.0-only
// Whether a thread has lost its CPU, by its kernel line: cpu_time_ns moves when the thread is
// switched away, wait_time_ns when it comes back after waiting. Pure.
#pragma once

#include <cstdint>

namespace morpheus::sdk {

class OffCpu {
 public:
  /// Notes what the line says now. `has_stepped`: the thread has run since the last look. Returns
  /// whether it was switched away and nothing shows that it came back. If both happened since the
  /// last look, their order is not known: the thread is taken to be off, as it is when it lost its
  /// CPU to the thread that looks.
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
