// SPDX-License-Identifier: GPL-2.0-only
// What this host's kernel offers, read from /proc, /sys and the kernel's configuration.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace morpheus::ctl {

struct HostFacts {
  std::string kernel_release;
  /// CONFIG_X -> y, m or n, as far as a configuration was found (`config_from`).
  std::map<std::string, std::string> config;
  std::string config_from;
  bool has_btf = false;
  std::optional<std::string> sched_ext_state;  ///< nothing: this kernel has no sched_ext
  std::optional<std::string> sched_ext_ops;
  /// Runtime of the first CPU's ext_server in its period; nothing: none here, or not allowed to
  /// see.
  std::optional<std::uint64_t> ext_server_runtime_ns, ext_server_period_ns;
  bool has_pressure = false;  ///< /proc/pressure/cpu can be read
  bool has_cgroup2 = false, has_cgroup1 = false;
  std::optional<std::string> lockdown;  ///< none, integrity or confidentiality
  std::uint64_t capabilities = 0;       ///< effective, of this process
  /// Of the rseq slice extension: 1 on, 0 off for this process, -1 this kernel has none.
  int slice_extension = -1;
};

/// `root` stands before every path ("" for the real host); release, capabilities and the slice
/// extension are always this process's own.
[[nodiscard]] HostFacts read_host_facts(const std::string& root = "");

}  // namespace morpheus::ctl
