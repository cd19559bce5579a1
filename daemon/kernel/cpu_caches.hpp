// SPDX-License-Identifier: GPL-2.0-only
// Which CPUs share a last-level cache (LLC): the scheduler has one queue for each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace morpheus::daemon {

inline constexpr const char* kCpuDirectory = "/sys/devices/system/cpu";

/// For each of `cpus` CPUs the number of its last-level cache, counted from 0 in the order of the
/// CPUs; at most MORPHEUS_MAX_LLCS different ones (all beyond count as the last). A CPU about which
/// the kernel says nothing, because it is offline or a virtual machine hides its caches, belongs to
/// number 0.
[[nodiscard]] std::vector<std::uint8_t> read_llcs(const std::string& directory, unsigned cpus);

}  // namespace morpheus::daemon
