// SPDX-License-Identifier: GPL-2.0-only
// How much CPU the process may use: the CPUs that it may run on, and the quotas of its control
// groups (version 2, cpu.max), which take a process off all CPUs once it has used up its share of a
// period.
#pragma once

#include <cstddef>
#include <limits>
#include <string>

namespace morpheus::sdk {

struct CpuShare {
  static constexpr double kNoQuota = std::numeric_limits<double>::infinity();

  std::size_t usable = 1;   ///< CPUs, at least 1
  double quota = kNoQuota;  ///< CPUs on average

  [[nodiscard]] bool has_quota() const { return quota < static_cast<double>(usable); }
  /// How many threads can make use of it: a started CPU counts as one.
  [[nodiscard]] std::size_t count() const;

  [[nodiscard]] static CpuShare of_this_process();
};

/// The least quota, in CPUs, of the control group `path` ("/a/b") and those that it is in, below
/// the directory `root`, where the file system of control groups is mounted.
[[nodiscard]] double cpu_quota(const std::string& root, const std::string& path);

/// The path in the line of version 2 ("0::PATH") of what /proc/PID/cgroup shows; else empty.
[[nodiscard]] std::string group_path(const std::string& proc_cgroup);

}  // namespace morpheus::sdk
