// SPDX-License-Identifier: GPL-2.0-only
// How loaded the system is, as the kernel reports it: /proc/pressure/* and /proc/loadavg.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace morpheus::daemon {

struct Pressure {
  std::uint32_t cpu_pct = 0;  ///< 0-100, "some avg10", rounded
  std::uint32_t io_pct = 0;
  std::uint32_t memory_pct = 0;
  std::uint32_t runqueue_depth = 0;  ///< runnable threads in the system
};

/// "some avg10=1.53 avg60=..." -> 2; nothing if the text is not a PSI file. Pure.
[[nodiscard]] std::optional<std::uint32_t> parse_psi(std::string_view text);

/// "0.20 0.18 0.12 3/80 11206" -> 3. Pure.
[[nodiscard]] std::optional<std::uint32_t> parse_loadavg(std::string_view text);

/// Reads all four; what this kernel does not have (PSI can be off) counts as 0.
[[nodiscard]] Pressure read_pressure(const std::string& proc = "/proc");

}  // namespace morpheus::daemon
