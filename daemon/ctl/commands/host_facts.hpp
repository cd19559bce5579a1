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
  /// CONFIG_X -> y, m or n, from the file `config_from`; empty if there is no such file.
  std::map<std::string, std::string> config;
  std::string config_from;
  bool has_btf = false;
  std::optional<std::string> sched_ext_state;  ///< nothing: this kernel has no sched_ext
  std::optional<std::string> sched_ext_ops;
  /// Runtime and period of the first CPU's ext_server; nothing if there is none, or if this process
  /// may not see it.
  std::optional<std::uint64_t> ext_server_runtime_ns, ext_server_period_ns;
  std::string isolated_cpus;  ///< by isolcpus=, as in "2-3"
  bool has_pressure = false;  ///< /proc/pressure/cpu can be read
  bool has_cgroup2 = false, has_cgroup1 = false;
  std::optional<std::string> lockdown;  ///< none, integrity or confidentiality
  std::uint64_t capabilities = 0;       ///< effective, of this process
  std::string hidepid;  ///< what /proc hides from other users, as it was mounted; empty: nothing
  /// Limits of this process: the highest real-time priority, the most open files.
  std::uint64_t real_time_limit = 0, file_limit = 0;
  /// Of this process's control group and those above it; nothing: no bound, or none to be seen.
  std::optional<std::uint64_t> memory_limit_bytes;
  bool has_cpu_limit = false;
  /// The rseq slice extension: 1 on, 0 off for this process, -1 not in this kernel.
  int slice_extension = -1;
};

/// `root` is put before every path ("" for the real host). Release, capabilities and the slice
/// extension are always those of this process.
[[nodiscard]] HostFacts read_host_facts(const std::string& root = "");

}  // namespace morpheus::ctl
