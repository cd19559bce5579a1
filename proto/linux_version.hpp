// SPDX-License-Identifier: GPL-2.0-only
// Which Linux version brought what. Only for messages: to decide, programs look for the feature
// itself.
#pragma once

#include <compare>
#include <cstdio>
#include <string>

namespace morpheus {

struct LinuxVersion {
  unsigned version = 0, patchlevel = 0;
  auto operator<=>(const LinuxVersion&) const = default;

  /// Parses a release as in uname(2), "6.12.95+deb13-amd64"; 0.0 if it is none.
  [[nodiscard]] static LinuxVersion of(const std::string& release) {
    LinuxVersion parsed;
    std::sscanf(release.c_str(), "%u.%u", &parsed.version, &parsed.patchlevel);
    return parsed;
  }
  [[nodiscard]] std::string text() const {
    return std::to_string(version) + "." + std::to_string(patchlevel);
  }
};

/// The oldest version on which the BPF programs load.
inline constexpr LinuxVersion kOldestLinux{6, 12};
/// BPF user pointers, through which programs reach workers' lines; before them, array maps.
inline constexpr LinuxVersion kUserPointersSince{6, 13};
/// A pidfd says whose thread it is, without /proc.
inline constexpr LinuxVersion kPidfdInfoSince{6, 13};
/// Debian's own kernels have CONFIG_SCHED_CLASS_EXT=y.
inline constexpr LinuxVersion kDebianSchedExtSince{6, 16};
/// The deadline server that reserves time for sched_ext threads; the rseq slice extension.
inline constexpr LinuxVersion kExtServerSince{7, 0}, kSliceExtensionSince{7, 0};

}  // namespace morpheus
