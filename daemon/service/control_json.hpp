// SPDX-License-Identifier: GPL-2.0-only
// The daemon's state as the types of io.morpheus.Control.
#pragma once

#include "daemon/service/call.hpp"
#include "daemon/state/core.hpp"

namespace morpheus::daemon {

[[nodiscard]] Json scheduler_json(const SchedulerReport& report, const RestartPolicy& restarts);
/// The reply to GetLastExit; empty strings and 0 if the scheduler never ended by itself.
[[nodiscard]] Json exit_json(const std::shared_ptr<const SchedulerExit>& exit);
[[nodiscard]] Json counters_json(const WorkerTotals& totals, std::uint64_t events_dropped);
[[nodiscard]] Json latency_json(const LatencyHistogram& histogram);
[[nodiscard]] Json histogram_json(const morpheus_time_counts& times);
[[nodiscard]] Json statistics_json(const WorkerTotals& totals, Core& core);
[[nodiscard]] Json pressure_json(const Pressure& pressure);
[[nodiscard]] Json client_json(const Client& client);
/// `record` as the kernel side has it, with its times continued up to `now_ns`; the client's own
/// claims come from its runtime line.
[[nodiscard]] Json worker_json(const Client& client, const WorkerEntry& worker,
                               const morpheus_worker_record& record, std::uint64_t now_ns);

}  // namespace morpheus::daemon
