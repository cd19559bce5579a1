// SPDX-License-Identifier: GPL-2.0-only
// What hostile clients do to a daemon, by kind and number, and a client that measures whether it
// notices.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/varlink_client.hpp"

namespace morpheus::bench {

/// Sends `each` inputs of every kind of nonsense, each on a connection of its own; how many of
/// which kind.
[[nodiscard]] std::map<std::string, unsigned> send_bad_inputs(const std::string& socket,
                                                              unsigned each);

/// Processes of an ordinary user that call as fast as the daemon replies, and expensive methods.
class Storm {
 public:
  Storm(const std::string& socket, unsigned processes);
  ~Storm();
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;
  /// Calls that got a reply.
  [[nodiscard]] std::uint64_t calls() const { return *calls_; }

 private:
  std::atomic<std::uint64_t>* calls_;
  std::vector<pid_t> pids_;
};

/// The times of small calls, one after the other, in microseconds.
struct CallTimes {
  double p50 = 0, p99 = 0, max = 0;
  std::size_t count = 0;
};
[[nodiscard]] CallTimes time_calls(const std::string& socket, double seconds);

}  // namespace morpheus::bench
