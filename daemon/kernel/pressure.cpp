// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/pressure.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>

namespace morpheus::daemon {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

std::optional<std::uint32_t> parse_psi(std::string_view text) {
  constexpr std::string_view kStart = "some avg10=";
  if (!text.starts_with(kStart)) return std::nullopt;
  text.remove_prefix(kStart.size());
  double percent = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), percent);
  if (parsed.ec != std::errc{} || !std::isfinite(percent)) return std::nullopt;
  return static_cast<std::uint32_t>(std::lround(std::clamp(percent, 0.0, 100.0)));
}

std::optional<std::uint32_t> parse_loadavg(std::string_view text) {
  for (int field = 0; field < 3; ++field) {
    const auto space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    text.remove_prefix(space + 1);
  }
  std::uint32_t running = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), running);
  if (parsed.ec != std::errc{} || parsed.ptr == text.data() + text.size() || *parsed.ptr != '/')
    return std::nullopt;
  return running;
}

Pressure read_pressure(const std::string& proc) {
  Pressure pressure;
  pressure.cpu_pct = parse_psi(read_file(proc + "/pressure/cpu")).value_or(0);
  pressure.io_pct = parse_psi(read_file(proc + "/pressure/io")).value_or(0);
  pressure.memory_pct = parse_psi(read_file(proc + "/pressure/memory")).value_or(0);
  pressure.runqueue_depth = parse_loadavg(read_file(proc + "/loadavg")).value_or(0);
  return pressure;
}

}  // namespace morpheus::daemon
