// SPDX-License-Identifier: GPL-2.0-only
// Keeps hostile peers from filling the log: a kind of refusal is logged once for each connection,
// and at most once a second for each user, however often that user connects again.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "proto/json.hpp"

namespace morpheus::daemon {

/// Of all users.
class RefusalLog {
 public:
  using Clock = std::chrono::steady_clock;

  /// Whether to log this refusal, and how many of this user and kind were not logged before it.
  [[nodiscard]] std::optional<std::uint64_t> should_log(uid_t uid, const std::string& kind,
                                                        Clock::time_point now);

 private:
  struct Entry {
    Clock::time_point last;
    std::uint64_t suppressed = 0;
  };
  std::map<std::pair<uid_t, std::string>, Entry> entries_;
};

/// Of one connection.
class ConnectionRefusals {
 public:
  /// `log` outlives this.
  ConnectionRefusals(RefusalLog& log, pid_t pid, uid_t uid) : log_(log), pid_(pid), uid_(uid) {}

  /// Logs it, or counts it if it must not be logged. `kind` is one of our own names, so there are
  /// not many; `parameters` may hold what the peer sent.
  void report(const std::string& kind, const Json& parameters = Json::object());

 private:
  RefusalLog& log_;
  pid_t pid_;
  uid_t uid_;
  std::set<std::string> reported_;
};

}  // namespace morpheus::daemon
