// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/refusal_log.hpp"

namespace morpheus::daemon {
namespace {
constexpr auto kInterval = std::chrono::seconds(1);
constexpr std::size_t kMostEntries = 4096;
}  // namespace

std::optional<std::uint64_t> RefusalLog::should_log(uid_t uid, const std::string& kind,
                                                    Clock::time_point now) {
  if (entries_.size() >= kMostEntries)
    std::erase_if(entries_, [&](const auto& e) { return now - e.second.last >= kInterval; });
  const auto [it, is_new] = entries_.try_emplace({uid, kind}, Entry{now, 0});
  Entry& entry = it->second;
  if (is_new) return 0;
  if (now - entry.last < kInterval) {
    ++entry.suppressed;
    return std::nullopt;
  }
  entry.last = now;
  return std::exchange(entry.suppressed, 0);
}

}  // namespace morpheus::daemon
