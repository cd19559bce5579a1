// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/service/control_json.hpp"

#include <algorithm>
#include <atomic>

#include "daemon/config/names.hpp"

namespace morpheus::daemon {
namespace {

// The client may write at any moment, so each field is read exactly once.
std::uint32_t claim(__u32& field) {
  return std::atomic_ref<__u32>(field).load(std::memory_order_relaxed);
}

template <class Count, class Names>
Json by_reason(const Count* counts, std::size_t size, Names name) {
  Json json = Json::object();
  for (std::size_t i = 1; i < size; ++i)
    if (counts[i] != 0) json[std::string(name(static_cast<std::uint32_t>(i)))] = counts[i];
  return json;
}

// The kernel adds a run or a wait to its totals at the end; the reply includes the present one.
std::uint64_t since(std::uint64_t start_ns, std::uint64_t now_ns) {
  return start_ns != 0 && now_ns > start_ns ? now_ns - start_ns : 0;
}

// How long the worker has kept threads waiting, the present run included.
std::uint64_t kept_ns(const morpheus_worker_record& record, std::uint64_t now_ns) {
  if (record.seq == record.ended_seq) return record.kept_ns;
  const auto from = std::max(record.hinted_at_ns, record.run_start_ns);
  return record.kept_ns + (record.run_start_ns == 0 ? 0 : since(from, now_ns));
}

const char* doing_name(const morpheus_worker_record& record) {
  if (record.run_start_ns != 0) return "running";
  return record.wait_start_ns != 0 ? "waiting" : "asleep";
}

void add_optional(Json& json, const char* key, const std::optional<std::string>& value) {
  if (value) json[key] = *value;
}

}  // namespace

Json scheduler_json(const SchedulerReport& report, const RestartPolicy& restarts) {
  Json json{{"attached", report.attached},
            {"enforced_available", !report.why_not.has_value()},
            {"ejections", restarts.ejections()},
            {"gave_up", restarts.has_given_up()}};
  add_optional(json, "kernel_state", report.kernel_state);
  add_optional(json, "kernel_ops", report.kernel_ops);
  add_optional(json, "why_not", report.why_not);
  if (report.last_exit) json["last_exit"] = to_text(*report.last_exit);
  if (restarts.due_ns()) json["restart_at_ns"] = *restarts.due_ns();
  return json;
}

Json exit_json(const std::shared_ptr<const SchedulerExit>& exit) {
  const SchedulerExit shown = exit ? *exit : SchedulerExit{};
  return {{"cause", exit_cause_name(shown.cause)},
          {"time_ns", shown.time_ns},
          {"code", shown.code},
          {"reason", shown.reason},
          {"message", shown.message},
          {"dump", shown.dump}};
}

Json counters_json(const WorkerTotals& totals, std::uint64_t events_dropped) {
  return {{"hints", totals.hints},           {"acknowledged", totals.acknowledged},
          {"withdrawn", totals.withdrawn},   {"lost", totals.lost},
          {"last_calls", totals.last_calls}, {"deferrals", totals.deferrals},
          {"overruns", totals.overruns},     {"escalations", totals.escalations},
          {"throttles", totals.throttles},   {"blocked", totals.blocked},
          {"events_dropped", events_dropped}};
}

Json latency_json(const LatencyHistogram& histogram) {
  return {{"count", histogram.count()},
          {"p50_ns", histogram.percentile(50)},
          {"p99_ns", histogram.percentile(99)},
          {"max_ns", histogram.max()}};
}

Json histogram_json(const morpheus_time_counts& times) {
  Json bounds = Json::array(), counts = Json::array();
  for (std::uint32_t i = 0; i < MORPHEUS_TIME_BOUNDS; ++i) bounds.push_back(morpheus_time_bound(i));
  for (const auto count : times.counts) counts.push_back(count);
  return {{"bounds_ns", bounds}, {"counts", counts}, {"sum_ns", times.sum_ns}};
}

Json statistics_json(const WorkerTotals& totals, Core& core) {
  return {{"counters", counters_json(totals, core.kernel().events_dropped())},
          {"hints_by_reason", by_reason(totals.hints_by_reason.data(),
                                        totals.hints_by_reason.size(), hint_reason_name)},
          {"blocked_by_reason", by_reason(totals.blocked_by_reason.data(),
                                          totals.blocked_by_reason.size(), block_reason_name)},
          {"ack_latency", histogram_json(core.events().ack_times())},
          {"wait", histogram_json(core.kernel().wait_times())}};
}

Json pressure_json(const Pressure& pressure) {
  return {{"cpu_pct", pressure.cpu_pct},
          {"io_pct", pressure.io_pct},
          {"memory_pct", pressure.memory_pct},
          {"runqueue_depth", pressure.runqueue_depth}};
}

Json client_json(const Client& client) {
  Json json{{"client_id", client.id},
            {"pid", client.pid},
            {"uid", client.uid},
            {"name", client.name},
            {"capacity", client.lines.capacity()},
            {"workers", client.workers.size()}};
  if (!client.library.empty()) json["library"] = client.library;
  return json;
}

Json worker_json(const Client& client, const WorkerEntry& worker,
                 const morpheus_worker_record& record, std::uint64_t now_ns) {
  auto& line = client.lines.runtime_line(worker.line);
  WorkerTotals totals;
  totals.add(record);
  return {{"worker_id", worker.id},
          {"client_id", client.id},
          {"slot", worker.line},
          {"pid", client.pid},
          {"tid", worker.tid},
          {"state", worker_state_name(worker.state)},
          {"doing", doing_name(record)},
          {"cpu", record.cpu},
          {"hints", totals.hints},
          {"hints_by_reason", by_reason(totals.hints_by_reason.data(),
                                        totals.hints_by_reason.size(), hint_reason_name)},
          {"acknowledged", record.acknowledged},
          {"withdrawn", record.withdrawn},
          {"lost", record.lost},
          {"last_calls", totals.last_calls},
          {"deferrals", record.deferrals},
          {"overruns", record.overruns},
          {"escalations", record.escalations},
          {"throttles", record.throttles},
          {"blocked", by_reason(record.blocked, MORPHEUS_BLOCK_COUNT, block_reason_name)},
          {"cpu_time_ns", record.cpu_time_ns + since(record.run_start_ns, now_ns)},
          {"wait_time_ns", record.wait_time_ns + since(record.wait_start_ns, now_ns)},
          {"kept_ns", kept_ns(record, now_ns)},
          {"critical", claim(line.is_in_critical_section)},
          {"escapable", claim(line.escapable) == 1},
          {"priority", std::min(claim(line.runtime_priority), MORPHEUS_PRIORITY_MAX)},
          {"policy", policy_name(claim(line.escalation_policy))},
          {"runtime_mode", runtime_mode_name(claim(line.runtime_mode))},
          {"last_yield_reason", yield_reason_name(claim(line.last_yield_reason))}};
}

}  // namespace morpheus::daemon
