// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/top/rows.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>

#include "daemon/ctl/console/reply.hpp"

namespace morpheus::ctl {
namespace {

std::map<std::uint64_t, const Json*> by_id(const Json& list, const char* key) {
  std::map<std::uint64_t, const Json*> found;
  for (const auto& item : list) found[number(item, key)] = &item;
  return found;
}

double value_of(const TopRow& row, const std::string& column) {
  if (column == "wait") return row.wait;
  if (column == "kept") return row.kept;
  if (column == "hints") return row.hints;
  if (column == "acknowledged") return row.acknowledged;
  if (column == "lost") return row.lost;
  if (column == "escalated") return row.escalated;
  if (column == "worker") return -static_cast<double>(row.worker_id);  // the oldest first
  return row.cpu;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// A worker that is RUNNING by its registration may well be asleep.
std::string doing_of(const Json& worker) {
  const auto state = text(worker, "state");
  if (state != "RUNNING") return lower(state);
  const auto doing = text(worker, "doing");
  return doing != "asleep" && number(worker, "critical") > 0 ? "critical" : doing;
}

TopRow row_of(const Json& was, const Json& is, const Json* client, double seconds) {
  const auto per_second = [&](const char* key) { return grown(was, is, key) / seconds; };
  const auto percent = [&](const char* key) { return std::min(100.0, per_second(key) / 1e7); };
  return {.worker_id = number(is, "worker_id"),
          .pid = number(is, "pid"),
          .tid = number(is, "tid"),
          .cpu_number = number(is, "cpu"),
          .name = client == nullptr ? "-" : text(*client, "name"),
          .state = text(is, "state"),
          .doing = doing_of(is),
          .cpu = percent("cpu_time_ns"),
          .wait = percent("wait_time_ns"),
          .kept = percent("kept_ns"),
          .hints = per_second("hints"),
          .acknowledged = per_second("acknowledged"),
          .lost = per_second("lost"),
          .escalated = per_second("escalations")};
}

bool is_chosen(const TopRow& row, const std::string& filter) {
  return filter.empty() || std::to_string(row.pid) == filter || std::to_string(row.tid) == filter ||
         lower(row.name).find(lower(filter)) != std::string::npos;
}

std::vector<TopRow> by_process(const std::vector<TopRow>& rows) {
  std::map<std::uint64_t, TopRow> groups;
  for (const auto& row : rows) {
    auto& group = groups.try_emplace(row.pid, TopRow{.pid = row.pid, .workers = 0}).first->second;
    group.name = row.name;
    group.workers += 1;
    for (const auto part : {&TopRow::cpu, &TopRow::wait, &TopRow::kept, &TopRow::hints,
                            &TopRow::acknowledged, &TopRow::lost, &TopRow::escalated})
      group.*part += row.*part;
  }
  std::vector<TopRow> list;
  list.reserve(groups.size());
  for (auto& [pid, group] : groups) list.push_back(std::move(group));
  return list;
}

}  // namespace

double seconds_between(const Look& before, const Look& now) {
  return std::max(1e-3, static_cast<double>(now.time_ns - before.time_ns) / 1e9);
}

double grown(const Json& before, const Json& now, const char* key) {
  const auto then = number(before, key), here = number(now, key);
  return here > then ? static_cast<double>(here - then) : 0;
}

std::vector<TopRow> top_rows(const Look& before, const Look& now, const Choice& choice) {
  std::vector<TopRow> rows;
  const auto earlier = by_id(before.workers, "worker_id");
  const auto clients = by_id(now.clients, "client_id");
  const double seconds = seconds_between(before, now);
  for (const auto& worker : now.workers) {
    const auto was = earlier.find(number(worker, "worker_id"));
    if (was == earlier.end()) continue;
    const auto client = clients.find(number(worker, "client_id"));
    auto row =
        row_of(*was->second, worker, client == clients.end() ? nullptr : client->second, seconds);
    if (is_chosen(row, choice.filter)) rows.push_back(std::move(row));
  }
  if (choice.grouped) rows = by_process(rows);
  std::ranges::sort(rows, {}, [&](const TopRow& row) {
    return std::tuple(-value_of(row, choice.sort), row.worker_id, row.pid);
  });
  return rows;
}

}  // namespace morpheus::ctl
