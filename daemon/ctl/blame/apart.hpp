// SPDX-License-Identifier: GPL-2.0-only
// Work on what strangers wrote, in a process of its own: if it crashes, hangs or eats memory there,
// only its result is missing.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "proto/result.hpp"

namespace morpheus::ctl {

/// What the process may use.
struct ApartLimits {
  std::chrono::seconds time{30};  ///< until it is killed
  std::size_t memory_bytes = std::size_t{4} << 30;
  std::size_t result_bytes = std::size_t{16} << 20;
};

/// Runs `work` in a child process and returns what it returned. The error says how it ended.
[[nodiscard]] Result<std::string> run_apart(const std::function<std::string()>& work,
                                            const ApartLimits& limits = {});

/// In the child: from now on root is an ordinary user, who may read only what is open already or
/// what every user may read. Ends the process if that fails.
void drop_privileges();

}  // namespace morpheus::ctl
