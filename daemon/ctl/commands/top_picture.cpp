// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/top_picture.hpp"

#include <fmt/core.h>
#include <cmath>

#include <algorithm>
#include <map>
#include <utility>

#include "daemon/ctl/console/reply.hpp"

namespace morpheus::ctl {
namespace {

// 79 columns, blanks included.
constexpr auto kHead = "{:>6} {:>7} {:<15} {:<3} {:>4} {:>5} {:>5} {:>5} {:>5} {:>5} {:>9}";
constexpr auto kRow =
    "{:>6} {:>7} {:<15.15} {:<3.3} {:>4} {:>5.1f} {:>5.1f} {:>5} {:>5} {:>5} {:>9}";

std::map<std::uint64_t, const Json*> by_id(const Json& list, const char* key) {
  std::map<std::uint64_t, const Json*> found;
  for (const auto& item : list) found[number(item, key)] = &item;
  return found;
}

double grown(const Json& before, const Json& now, const char* key) {
  const auto then = number(before, key), here = number(now, key);
  return here > then ? static_cast<double>(here - then) : 0;
}

double value_of(const TopRow& row, const std::string& column) {
  if (column == "wait") return row.wait;
  if (column == "hints") return row.hints;
  if (column == "acknowledged") return row.acknowledged;
  if (column == "lost") return row.lost;
  if (column == "escalated") return row.escalated;
  if (column == "worker") return -static_cast<double>(row.worker_id);  // the oldest first
  return row.cpu;
}

std::string rate(double value) {
  if (value > 0 && value < 9.95) return fmt::format("{:.1f}", value);
  return short_count(static_cast<std::uint64_t>(std::llround(value)));
}

std::string summary(const Look& before, const Look& now, double seconds) {
  const Json& was = member(before.status, "counters");
  const Json& is = member(now.status, "counters");
  const auto per_second = [&](const char* key) { return rate(grown(was, is, key) / seconds); };
  return fmt::format(
      "hints {}/s: {} acknowledged, {} withdrawn, {} lost, {} escalated; deferrals {}/s",
      per_second("hints"), per_second("acknowledged"), per_second("withdrawn"), per_second("lost"),
      per_second("escalations"), per_second("deferrals"));
}

std::string headline(const Look& now) {
  const Json& pressure = member(now.status, "pressure");
  return fmt::format("mode {}{}; {} clients, {} workers; cpu pressure {} %, {} runnable; up {}",
                     text(now.status, "mode"), is_degraded(now.status) ? " (not in force)" : "",
                     number(now.status, "clients"), number(now.status, "workers"),
                     number(pressure, "cpu_pct"), number(pressure, "runqueue_depth"),
                     short_time(number(now.status, "uptime_ns")));
}

// "sort: [c]pu* [w]ait ...": the star marks the order in force.
std::string key_line(const std::string& sort) {
  std::string line = "sort:";
  for (const auto& [key, column] : kSortKeys) {
    std::string name(column);
    name.replace(name.find(key), 1, {'[', key, ']'});
    line += " " + name + (column == sort ? "*" : "");
  }
  return line + "; [q]uit";
}

std::string line_of(const TopRow& row) {
  return fmt::format(kRow, row.worker_id, row.tid, row.name, row.state, row.cpu_number, row.cpu,
                     row.wait, rate(row.hints), rate(row.acknowledged), rate(row.lost),
                     rate(row.escalated));
}

// The worker gets hints and does not acknowledge them.
bool is_noisy(const TopRow& row) {
  return row.lost > 0 || row.escalated > 0 || (row.hints >= 1 && row.acknowledged <= 0);
}

std::string cut(std::string line, std::size_t columns) {
  if (line.size() > columns) line.resize(columns);
  return line;
}

}  // namespace

std::vector<TopRow> top_rows(const Look& before, const Look& now, const std::string& sort) {
  std::vector<TopRow> rows;
  const auto earlier = by_id(before.workers, "worker_id");
  const auto clients = by_id(now.clients, "client_id");
  const double seconds = std::max(1e-3, static_cast<double>(now.time_ns - before.time_ns) / 1e9);
  for (const auto& worker : now.workers) {
    const auto was = earlier.find(number(worker, "worker_id"));
    if (was == earlier.end()) continue;
    const auto client = clients.find(number(worker, "client_id"));
    const auto per_second = [&](const char* key) {
      return grown(*was->second, worker, key) / seconds;
    };
    const auto percent = [&](const char* key) { return std::min(100.0, per_second(key) / 1e7); };
    rows.push_back({number(worker, "worker_id"), number(worker, "pid"), number(worker, "tid"),
                    number(worker, "cpu"),
                    client == clients.end() ? "-" : text(*client->second, "name"),
                    text(worker, "state"), percent("cpu_time_ns"), percent("wait_time_ns"),
                    per_second("hints"), per_second("acknowledged"), per_second("lost"),
                    per_second("escalations")});
  }
  std::ranges::sort(
      rows, {}, [&](const TopRow& row) { return std::pair(-value_of(row, sort), row.worker_id); });
  return rows;
}

std::vector<std::string> top_picture(const Look& before, const Look& now, const TopView& view,
                                     const Palette& palette) {
  const double seconds = std::max(1e-3, static_cast<double>(now.time_ns - before.time_ns) / 1e9);
  std::vector<std::string> picture{cut(headline(now), view.columns),
                                   cut(summary(before, now, seconds), view.columns)};
  if (view.keys) picture.push_back(cut(key_line(view.sort), view.columns));
  picture.push_back(
      palette.bold(cut(fmt::format(kHead, "WORKER", "TID", "PROCESS", "ST", "CPU", "%CPU", "%WAIT",
                                   "HINTS", "ACKED", "LOST", "ESCALATED"),
                       view.columns)));
  for (const auto& row : top_rows(before, now, view.sort)) {
    if (view.lines != 0 && picture.size() >= view.lines) break;
    auto line = cut(line_of(row), view.columns);
    picture.push_back(is_noisy(row) ? palette.bad(line) : line);
  }
  return picture;
}

}  // namespace morpheus::ctl
