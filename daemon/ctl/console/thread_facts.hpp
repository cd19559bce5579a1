// SPDX-License-Identifier: GPL-2.0-only
// A thread's name and control group, from /proc.
#pragma once

#include <cstdint>
#include <string>

namespace morpheus::ctl {

/// What the system, not the daemon, knows of a thread. Names are the process's own choice.
struct ThreadFacts {
  std::string thread, control_group;
};

/// Empty where the thread has ended or is hidden, or belongs to another pid namespace. Without a
/// tid only the process's control group.
[[nodiscard]] ThreadFacts facts_of_thread(std::uint64_t pid, std::uint64_t tid);

}  // namespace morpheus::ctl
