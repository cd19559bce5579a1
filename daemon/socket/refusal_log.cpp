// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/refusal_log.hpp"

#include <fmt/format.h>

#include "daemon/log.hpp"

namespace morpheus::daemon {
namespace {
constexpr auto kInterval = std::chrono::seconds(1);
constexpr std::size_t kMostEntries = 4096;
constexpr std::size_t kLongestLogged = 200;
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

void ConnectionRefusals::report(const std::string& kind, const Json& parameters) {
  if (!reported_.insert(kind).second) return;
  const auto suppressed = log_.should_log(uid_, kind, RefusalLog::Clock::now());
  if (!suppressed) return;
  // dumped as ASCII: what a peer sent must not write control characters to a terminal
  std::string details = parameters.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (details.size() > kLongestLogged) details.resize(kLongestLogged);
  std::string before;
  if (*suppressed > 0) before = fmt::format(" ({} more of this kind were not logged)", *suppressed);
  log::warn("refused pid {} uid {}: {} {}{}", pid_, uid_, kind, details, before);
}

}  // namespace morpheus::daemon
