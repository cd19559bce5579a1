// SPDX-License-Identifier: GPL-2.0-only
// fork() takes the registry's lock, and a call to the daemon is made under that lock. So that a
// daemon that hangs does not hold up every fork for as long as a call may take, a fork has patience
// for kForkPatience: then the call is cut off, its link is lost, and the link thread makes another.
#pragma once

#include <chrono>

namespace morpheus::sdk {

/// One call to the daemon, while it lasts. Under the registry's lock: there is one at most.
class CallInFlight {
 public:
  static constexpr std::chrono::milliseconds kTimeout{1000};
  static constexpr std::chrono::milliseconds kForkPatience{20};

  /// `fd`: the connection.
  explicit CallInFlight(int fd);
  CallInFlight(const CallInFlight&) = delete;
  CallInFlight& operator=(const CallInFlight&) = delete;
  ~CallInFlight();

  /// How long the daemon has for its reply: less while another thread waits to fork.
  [[nodiscard]] static std::chrono::milliseconds timeout();

  /// Handles fork() from now on. After the registry does: what is registered last is prepared
  /// first.
  static void watch_forks();
};

}  // namespace morpheus::sdk
