// SPDX-License-Identifier: GPL-2.0-only
// What the kernel itself counts: the time of each loaded BPF program, and context switches.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "proto/unique_fd.hpp"

namespace morpheus::bench {

struct ProgramTime {
  std::uint64_t ns = 0;
  std::uint64_t calls = 0;

  [[nodiscard]] double ns_per_call() const {
    return calls == 0 ? 0 : static_cast<double>(ns) / static_cast<double>(calls);
  }
};

/// By the name of the program's function, such as "morpheus_enqueue"; programs without type
/// information are left out. Callbacks of timers are not counted by the kernel.
using ProgramTimes = std::map<std::string, ProgramTime>;

/// The kernel collects the statistics while this lives. Needs root; throws std::system_error.
class ProgramClock {
 public:
  ProgramClock();
  /// Of all programs that are loaded now, since they were loaded.
  [[nodiscard]] static ProgramTimes read();

 private:
  UniqueFd enabled_;
};

/// What was added in between; programs that were not called are left out.
[[nodiscard]] ProgramTimes difference(const ProgramTimes& before, const ProgramTimes& after);

/// Of all CPUs since boot, by /proc/stat.
[[nodiscard]] std::uint64_t context_switches();

}  // namespace morpheus::bench
