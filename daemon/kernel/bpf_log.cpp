// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/bpf_log.hpp"

#include <bpf/libbpf.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string_view>

#include "daemon/log.hpp"

namespace morpheus::daemon {
namespace {

constexpr std::size_t kMostBytes = std::size_t{64}
                                   << 10;  // a verifier log can be megabytes; its end matters
std::string warnings;

int print(libbpf_print_level level, const char* format, va_list args) {
  std::array<char, std::size_t{16} << 10> text{};
  std::vsnprintf(text.data(), text.size(), format, args);
  std::string_view line(text.data());
  if (level == LIBBPF_WARN) {
    warnings += line;
    if (warnings.size() > kMostBytes) warnings.erase(0, warnings.size() - kMostBytes);
  }
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  log::debug("libbpf: {}", line);
  return 0;
}

bool is_verdict(std::string_view line) {
  // The verifier's log ends with its statistics; the verdict is the last line before them.
  static constexpr std::array<std::string_view, 6> kNoise = {
      "processed ", "-- END", "-- BEGIN", "libbpf: ", "verification time", "stack depth"};
  for (const auto noise : kNoise)
    if (line.starts_with(noise)) return false;
  return !line.empty();
}

}  // namespace

void install_bpf_log() { libbpf_set_print(print); }

void clear_bpf_log() { warnings.clear(); }

std::string bpf_log_cause() {
  std::string best;
  std::string first_warning;
  for (std::size_t at = 0; at < warnings.size();) {
    const auto end = std::min(warnings.find('\n', at), warnings.size());
    const std::string line = warnings.substr(at, end - at);
    if (first_warning.empty() && line.starts_with("libbpf: ")) first_warning = line;
    if (is_verdict(line)) best = line;
    at = end + 1;
  }
  return best.empty() ? first_warning : best;
}

}  // namespace morpheus::daemon
