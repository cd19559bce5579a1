// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/top/picture.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>

#include "daemon/ctl/console/columns.hpp"
#include "daemon/ctl/console/reply.hpp"
#include "daemon/ctl/top/legend.hpp"
#include "daemon/ctl/top/table.hpp"

namespace morpheus::ctl {
namespace {

constexpr const char* kKeys = R"(Keys:
  c w k n a l e o       sort, by the column whose name has the letter in brackets
  arrows, PgUp, PgDn,
  Home, End             scroll
  /                     show only processes whose name has the text that follows, or
                        the process or thread with that number; empty: all
  g                     a row for each process, or for each worker
  space                 pause, and go on
  h ?                   this page; any other key leaves it
  q                     quit

)";

std::string summary(const Look& before, const Look& now) {
  const Json& was = member(before.status, "counters");
  const Json& is = member(now.status, "counters");
  const auto per_second = [&](const char* key) {
    return rate_text(grown(was, is, key) / seconds_between(before, now));
  };
  return fmt::format(
      "hints {}/s: {} acknowledged, {} withdrawn; {} late, {} escalated; deferrals {}/s",
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

// "[?]help [q]uit sort: [c]pu* [w]ait ...": the star marks the order in force.
std::string key_line(const std::string& sort) {
  std::string line = "[?]help [q]uit sort:";
  for (const auto& [key, column, label] : kSortKeys) {
    std::string name(label);
    name.replace(name.find(key), 1, {'[', key, ']'});
    line += " " + name + (column == sort ? "*" : "");
  }
  return line;
}

// The last line: what of how much is shown, and what was chosen.
std::string foot_line(const TopView& view, std::size_t rows) {
  if (view.typing) return "filter: " + *view.typing + "_";
  if (!view.message.empty()) return view.message;
  const auto last = std::min(rows, view.first + view.page);
  auto line = fmt::format("{}-{} of {} {}", rows == 0 ? 0 : view.first + 1, last, rows,
                          view.help             ? "lines"
                          : view.choice.grouped ? "processes"
                                                : "workers");
  if (view.paused) line += "; paused";
  if (!view.help && !view.choice.filter.empty()) line += "; filter: " + view.choice.filter;
  return line;
}

std::vector<std::string> help_lines() {
  std::vector<std::string> lines;
  std::istringstream in(std::string(kKeys) + kTopColumns);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Fills the rest of the picture with a part of `rows` rows.
template <class Line>
void add_page(std::vector<std::string>& picture, TopView& view, std::size_t rows,
              const Line& line_of) {
  const std::size_t taken = picture.size() + (view.keys ? 1 : 0);
  view.page =
      view.lines == 0 ? std::max<std::size_t>(rows, 1) : std::max(view.lines, taken + 1) - taken;
  view.last = rows > view.page ? rows - view.page : 0;
  view.first = std::min(view.first, view.last);
  const auto end = std::min(rows, view.first + view.page);
  for (auto i = view.first; i < end; ++i) picture.push_back(line_of(i));
  if (!view.keys) return;
  picture.resize(taken + view.page - 1);
  picture.push_back(cut(foot_line(view, rows), view.columns));
}

// Threads waited because of it, for a part of the time that matters. Whether it acknowledges hints
// says less: a worker that sleeps does not, and one in a critical section may, too late.
bool is_in_the_way(const TopRow& row) { return row.kept >= 1; }

}  // namespace

std::vector<std::string> top_picture(const Look& before, const Look& now, TopView& view,
                                     const Palette& palette, const AskSystem& ask) {
  std::vector<std::string> picture;
  if (view.help) {
    const auto lines = help_lines();
    add_page(picture, view, lines.size(),
             [&](std::size_t i) { return cut(lines[i], view.columns); });
    return picture;
  }
  const auto add = [&](const std::string& line) { picture.push_back(cut(line, view.columns)); };
  add(headline(now));
  add(summary(before, now));
  if (!now.worst.empty()) picture.push_back(palette.bad(cut("worst: " + now.worst, view.columns)));
  if (view.keys) add(key_line(view.choice.sort));
  const Table table(view.columns, view.choice.grouped);
  picture.push_back(palette.bold(cut(table.head(), view.columns)));
  constexpr std::size_t kLeastPage = 2;  // a row, and the last line
  while (view.lines != 0 && picture.size() > 1 && picture.size() + kLeastPage > view.lines)
    picture.erase(picture.begin());
  const auto rows = top_rows(before, now, view.choice);
  add_page(picture, view, rows.size(), [&](std::size_t i) {
    const auto line = cut(table.line(rows[i], ask), view.columns);
    return is_in_the_way(rows[i]) ? palette.bad(line) : line;
  });
  return picture;
}

}  // namespace morpheus::ctl
