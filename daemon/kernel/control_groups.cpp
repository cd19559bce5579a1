// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/control_groups.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace morpheus::daemon {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kNsPerUs = 1000;
constexpr std::uint64_t kMostUs = std::uint64_t{1} << 44;

std::optional<std::uint64_t> microseconds(std::string_view text) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || value == 0 ||
      value > kMostUs)
    return std::nullopt;
  return value;
}

CpuMax bound_of(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  std::string line;
  // neither the root group nor groups without the controller have such a file
  std::getline(file, line);
  return parse_cpu_max(line).value_or(CpuMax{});
}

}  // namespace

std::optional<CpuMax> parse_cpu_max(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto period = microseconds(text.substr(space + 1));
  if (!period) return std::nullopt;
  if (text.substr(0, space) == "max") return CpuMax{0, *period * kNsPerUs};
  const auto quota = microseconds(text.substr(0, space));
  if (!quota) return std::nullopt;
  return CpuMax{*quota * kNsPerUs, *period * kNsPerUs};
}

std::vector<GroupRule> read_group_rules(const std::string& root,
                                        std::span<const std::string> throttled) {
  std::vector<GroupRule> rules;
  const auto add = [&](const fs::path& group) {
    const bool listed = std::ranges::any_of(throttled, [&](const std::string& path) {
      return group == (fs::path(root) / path.substr(1)).lexically_normal();
    });
    const auto bound = bound_of(group);
    struct stat info{};
    if ((bound.quota_ns == 0 && !listed) || ::stat(group.c_str(), &info) != 0) return;
    rules.push_back({info.st_ino, bound, listed});
  };
  std::error_code error;
  fs::recursive_directory_iterator it(root, fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (it->is_directory(gone)) add(it->path());
  }
  return rules;
}

}  // namespace morpheus::daemon
