// SPDX-License-Identifier: GPL-2.0-only
// What this process uses, for the metrics that all programs share (process_*).
#pragma once

#include <cstdint>

namespace morpheus::daemon {

struct ProcessUsage {
  double cpu_seconds = 0;
  double started_at = 0;  ///< seconds since 1970
  std::uint64_t resident_bytes = 0, virtual_bytes = 0;
  std::uint64_t open_fds = 0, most_fds = 0;
  std::uint64_t threads = 0;
};

/// What cannot be read is 0.
[[nodiscard]] ProcessUsage read_process_usage();

}  // namespace morpheus::daemon
