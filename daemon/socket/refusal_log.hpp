// SPDX-License-Identifier: GPL-2.0-only
// Keeps hostile peers from filling the log: a kind of refusal is logged once for each connection,
// and at most once a second for each user, however often it reconnects.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace morpheus::daemon {

class RefusalLog {
 public:
  using Clock = std::chrono::steady_clock;

  /// Whether to log this refusal, and how many of this user and kind went unlogged before it.
  [[nodiscard]] std::optional<std::uint64_t> should_log(uid_t uid, const std::string& kind,
                                                        Clock::time_point now);

 private:
  struct Entry {
    Clock::time_point last;
    std::uint64_t suppressed = 0;
  };
  std::map<std::pair<uid_t, std::string>, Entry> entries_;
};

/// The kinds that one connection has had logged. Bounded: kinds come from our own set of error
/// names.
using LoggedKinds = std::set<std::string, std::less<>>;

}  // namespace morpheus::daemon
