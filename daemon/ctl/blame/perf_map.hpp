// SPDX-License-Identifier: GPL-2.0-only
// /tmp/perf-PID.map: where a process that makes code at run time says which function is where.
// Python writes it with `-X perf`. Pure; the text may be a stranger's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/ctl/blame/place.hpp"

namespace morpheus::ctl {

class PerfMap {
 public:
  /// Lines of "START SIZE NAME", both numbers in hexadecimal. Other lines are skipped; where lines
  /// overlap, the later one holds.
  [[nodiscard]] static PerfMap parse(std::string_view text);
  /// Python's "py::function:file" becomes function and file.
  [[nodiscard]] std::optional<Place> find(std::uint64_t address) const;

 private:
  struct Entry {
    std::uint64_t size = 0;
    std::string name;
  };
  std::map<std::uint64_t, Entry> entries_;  // by start
};

}  // namespace morpheus::ctl
