// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/top/table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "daemon/ctl/console/columns.hpp"

namespace morpheus::ctl {

namespace {

constexpr std::size_t kLeastName = 10, kMostName = 34;
constexpr std::size_t kThreadsName = 20;  // from here on a name has room for its thread
constexpr std::size_t kLeastGroup = 16, kMostGroup = 100;

// The end of a path tells more than its beginning.
std::string tail(const std::string& path, std::size_t columns) {
  const auto taken = columns_of(path);
  if (taken <= columns) return path;
  auto rest = path.substr(path.size() - std::min(path.size(), columns - 2));
  while (!rest.empty() && (static_cast<unsigned char>(rest[0]) & 0xc0) == 0x80) rest.erase(0, 1);
  return ".." + rest;
}

}  // namespace

struct TableColumn {
  enum class Of : std::uint8_t { both, worker, process };

  const char* head;
  std::size_t width;
  int rank;  ///< the smaller, the narrower a terminal that still has it
  Of of;
  bool is_left;
  std::string (*cell)(const TopRow& row, const ThreadFacts& facts, std::size_t width);
};

namespace {

using Of = TableColumn::Of;
using Row = const TopRow&;
using Facts = const ThreadFacts&;

std::string name_of(Row row, Facts facts, std::size_t width) {
  return facts.thread.empty() || width < kThreadsName ? row.name
                                                      : thread_title(row.name, facts.thread);
}

std::string group_of(Row, Facts facts, std::size_t width) {
  return tail(facts.control_group, width);
}

std::string doing(Row row, Facts, std::size_t) { return row.doing; }

template <std::uint64_t TopRow::* kField>
std::string whole(Row row, Facts, std::size_t) {
  return std::to_string(row.*kField);
}
template <double TopRow::* kField>
std::string percent(Row row, Facts, std::size_t) {
  return fmt::format("{:.{}f}", row.*kField, row.*kField < 999.95 ? 1 : 0);
}
template <double TopRow::* kField>
std::string rate(Row row, Facts, std::size_t) {
  return rate_text(row.*kField);
}

constexpr TableColumn kColumns[] = {
    {"WORKER", 6, 4, Of::worker, false, whole<&TopRow::worker_id>},
    {"WORKERS", 7, 4, Of::process, false, whole<&TopRow::workers>},
    {"PID", 7, 13, Of::worker, false, whole<&TopRow::pid>},
    {"PID", 7, 5, Of::process, false, whole<&TopRow::pid>},
    {"TID", 7, 6, Of::worker, false, whole<&TopRow::tid>},
    {"PROCESS", kLeastName, 1, Of::both, true, name_of},
    {"DOING", 8, 5, Of::worker, true, doing},
    {"CPU", 4, 12, Of::worker, false, whole<&TopRow::cpu_number>},
    {"%CPU", 5, 3, Of::both, false, percent<&TopRow::cpu>},
    {"%WAIT", 5, 7, Of::both, false, percent<&TopRow::wait>},
    {"%KEPT", 5, 2, Of::both, false, percent<&TopRow::kept>},
    {"HINTS", 5, 9, Of::both, false, rate<&TopRow::hints>},
    {"ACKED", 5, 10, Of::both, false, rate<&TopRow::acknowledged>},
    {"LOST", 5, 8, Of::both, false, rate<&TopRow::lost>},
    {"ESCAL", 5, 11, Of::both, false, rate<&TopRow::escalated>},
    {"CGROUP", kLeastGroup, 14, Of::both, true, group_of},
};

}  // namespace

Table::Table(std::size_t columns, bool grouped) {
  for (const auto& column : kColumns)
    if (column.of == Of::both || (column.of == Of::process) == grouped)
      places_.push_back({&column, column.width});
  // a blank stands before each but the first
  const auto taken = [&] {
    std::size_t sum = 0;
    for (const auto& place : places_) sum += place.width + 1;
    return sum - 1;
  };
  const auto rank = [](const Place& place) { return place.column->rank; };
  while (places_.size() > 1 && taken() > columns)
    places_.erase(std::ranges::max_element(places_, {}, rank));
  const auto grow = [&](auto cell, std::size_t most) {
    const auto found = std::ranges::find(places_, cell, [](Place p) { return p.column->cell; });
    if (found == places_.end() || taken() >= columns) return std::size_t{0};
    return found->width = std::min(most, found->width + columns - taken());
  };
  const auto name = grow(name_of, kMostName), group = grow(group_of, kMostGroup);
  names_threads_ = name >= kThreadsName && !grouped;
  asks_ = group > 0 || names_threads_;
}

template <class Cell>
std::string Table::joined(const Cell& cell) const {
  std::string line;
  for (const auto& place : places_) {
    const auto shown = padded(cell(place), place.width);
    if (!line.empty()) line += ' ';
    if (place.column->is_left) {
      line += shown;
      continue;
    }
    const auto end = shown.find_last_not_of(' ') + 1;  // numbers have no blanks of their own
    line += std::string(shown.size() - end, ' ') + shown.substr(0, end);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string Table::head() const {
  return joined([this](Place place) {
    const bool is_both = place.column->cell == name_of && names_threads_;
    return std::string(is_both ? "PROCESS/THREAD" : place.column->head);
  });
}

std::string Table::line(const TopRow& row, const AskSystem& ask) const {
  const auto facts = asks_ && ask ? ask(row) : ThreadFacts{};
  return joined([&](Place place) { return place.column->cell(row, facts, place.width); });
}

std::string rate_text(double per_second) {
  if (per_second > 0 && per_second < 9.95) return fmt::format("{:.1f}", per_second);
  return short_count(static_cast<std::uint64_t>(std::llround(per_second)));
}

}  // namespace morpheus::ctl
