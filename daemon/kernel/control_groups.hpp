// SPDX-License-Identifier: GPL-2.0-only
// The operator's rules for control groups: how much CPU time they may use (cpu.max), and which of
// them may be throttled. Reads the files of cgroup v2 and changes none.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace morpheus::daemon {

inline constexpr const char* kControlGroupRoot = "/sys/fs/cgroup";

/// cpu.max: the CPU time in each period; a quota of 0 is "max".
struct CpuMax {
  std::uint64_t quota_ns = 0, period_ns = 100'000'000;
};

/// Pure; nothing if the text is no cpu.max.
[[nodiscard]] std::optional<CpuMax> parse_cpu_max(std::string_view text);

/// A group with a bound, or one that may be throttled with all groups below it.
struct GroupRule {
  std::uint64_t id = 0;  ///< the inode of its directory, by which the kernel numbers it
  CpuMax bound;
  bool may_be_throttled = false;
};

/// All groups below `root` that have a rule now. `throttled` are paths from there ("/app.slice").
/// Groups that come and go meanwhile, and paths that do not exist, are left out.
[[nodiscard]] std::vector<GroupRule> read_group_rules(const std::string& root,
                                                      std::span<const std::string> throttled);

}  // namespace morpheus::daemon
