// SPDX-License-Identifier: GPL-2.0-only
// Paths of control groups by their ids.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace morpheus::ctl {

/// An id is the inode number of the group's directory. All are looked up at the first question.
class GroupPaths {
 public:
  explicit GroupPaths(std::string root = "/sys/fs/cgroup") : root_(std::move(root)) {}
  /// Below the root, "/" for the root itself; empty if there is no such group now.
  [[nodiscard]] std::string path_of(std::uint64_t id);

 private:
  void read();

  std::string root_;
  std::optional<std::map<std::uint64_t, std::string>> paths_;
};

}  // namespace morpheus::ctl
