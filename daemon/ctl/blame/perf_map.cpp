// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/perf_map.hpp"

#include <charconv>
#include <iterator>

namespace morpheus::ctl {
namespace {

constexpr std::size_t kMostEntries = 1'000'000;
constexpr std::size_t kLongestName = 512;

// Takes a number and the blank behind it from the line.
std::optional<std::uint64_t> take_number(std::string_view& line) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number, 16);
  const auto used = static_cast<std::size_t>(end - line.data());
  if (error != std::errc{} || used >= line.size() || line[used] != ' ') return std::nullopt;
  line.remove_prefix(used + 1);
  return number;
}

}  // namespace

PerfMap PerfMap::parse(std::string_view text) {
  PerfMap map;
  while (!text.empty() && map.entries_.size() < kMostEntries) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto start = take_number(line);
    const auto size = start ? take_number(line) : std::nullopt;
    if (!size || line.empty()) continue;
    map.entries_[*start] = {*size, std::string(line.substr(0, kLongestName))};
  }
  return map;
}

std::optional<Place> PerfMap::find(std::uint64_t address) const {
  const auto after = entries_.upper_bound(address);
  if (after == entries_.begin()) return std::nullopt;
  const auto& [start, entry] = *std::prev(after);
  if (address - start >= entry.size) return std::nullopt;
  Place place{.function = printable(entry.name), .file = {}, .module = "perf map", .line = 0};
  constexpr std::string_view kPython = "py::";
  if (const auto colon = entry.name.find(':', kPython.size());
      entry.name.starts_with(kPython) && colon != std::string::npos) {
    place.function = printable(entry.name.substr(kPython.size(), colon - kPython.size())) + "()";
    place.file = printable(entry.name.substr(colon + 1));
    place.module = "python";
  }
  return place;
}

}  // namespace morpheus::ctl
