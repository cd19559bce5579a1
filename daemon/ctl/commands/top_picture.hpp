// SPDX-License-Identifier: GPL-2.0-only
// What morpheusctl top shows: every worker's rates between two looks at the daemon. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/ctl/console/render.hpp"
#include "proto/json.hpp"

namespace morpheus::ctl {

/// Three replies of the daemon, and when they came.
struct Look {
  std::uint64_t time_ns = 0;
  Json status, clients, workers;
};

/// One worker between two looks. Rates are per second, cpu and wait in percent of one CPU.
struct TopRow {
  std::uint64_t worker_id = 0, pid = 0, tid = 0, cpu_number = 0;
  std::string name, state;
  double cpu = 0, wait = 0, hints = 0, acknowledged = 0, lost = 0, escalated = 0;
};

/// A key of the terminal, a letter of the column that it sorts by.
struct SortKey {
  char key;
  std::string_view column;
};
inline constexpr SortKey kSortKeys[] = {{'c', "cpu"},          {'w', "wait"}, {'h', "hints"},
                                        {'a', "acknowledged"}, {'l', "lost"}, {'e', "escalated"},
                                        {'o', "worker"}};

/// Sorted by the column, largest first, equal ones by worker. Leaves out a worker that is in one
/// look only.
[[nodiscard]] std::vector<TopRow> top_rows(const Look& before, const Look& now,
                                           const std::string& sort);

struct TopView {
  std::string sort = "cpu";
  std::size_t columns = 80;
  std::size_t lines = 0;  ///< 0: no limit
  bool keys = false;      ///< show the keys
};

/// Lines of at most `columns` columns, colours not counted.
[[nodiscard]] std::vector<std::string> top_picture(const Look& before, const Look& now,
                                                   const TopView& view, const Palette& palette);

}  // namespace morpheus::ctl
