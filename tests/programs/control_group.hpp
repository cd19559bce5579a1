// SPDX-License-Identifier: GPL-2.0-only
// A control group (v2) that a test or benchmark makes for its load.
#pragma once

#include <sys/types.h>

#include <string>

namespace morpheus::test {

class ControlGroup {
 public:
  /// Whether this machine has a cgroup v2 hierarchy to make one in.
  [[nodiscard]] static bool can_be_made();

  /// `name` is a path below the root; its parent exists. Throws std::runtime_error.
  explicit ControlGroup(const std::string& name);
  /// Waits until its processes, which must be ending, are gone.
  ~ControlGroup();
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  /// Delegates it: makes the user the owner of its directory. Throws std::runtime_error.
  void give_to(uid_t user) const;
  void take(pid_t process) const { write("cgroup.procs", std::to_string(process)); }
  /// Throws std::runtime_error.
  void write(const std::string& file, const std::string& text) const;
  [[nodiscard]] std::string read(const std::string& file) const;

 private:
  std::string path_;
};

}  // namespace morpheus::test
