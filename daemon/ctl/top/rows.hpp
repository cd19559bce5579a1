// SPDX-License-Identifier: GPL-2.0-only
// The rows of morpheusctl top: every worker's rates between two looks at the daemon. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/ctl/top/view.hpp"
#include "proto/json.hpp"

namespace morpheus::ctl {

/// Three replies of the daemon, and when they came.
struct Look {
  std::uint64_t time_ns = 0;
  Json status, clients, workers;
  std::string worst;  ///< which worker keeps which thread waiting; empty: none
};

[[nodiscard]] double seconds_between(const Look& before, const Look& now);
/// How much a counter has grown.
[[nodiscard]] double grown(const Json& before, const Json& now, const char* key);

/// One worker between two looks, or all of a process (the sums, without worker_id and tid). Rates
/// are per second; cpu, wait and kept (it kept threads waiting) in percent of the time.
struct TopRow {
  std::uint64_t worker_id = 0, pid = 0, tid = 0, cpu_number = 0, workers = 1;
  std::string name = {}, state = {}, doing = {};
  double cpu = 0, wait = 0, kept = 0, hints = 0, acknowledged = 0, lost = 0, escalated = 0;
};

/// Sorted by the column, largest first, equal ones by worker or process. Leaves out a worker that
/// is in one look only.
[[nodiscard]] std::vector<TopRow> top_rows(const Look& before, const Look& now,
                                           const Choice& choice);

}  // namespace morpheus::ctl
