// SPDX-License-Identifier: GPL-2.0-only
// Many client processes with many worker threads each, all of them idle: what a daemon has to keep.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace morpheus::bench {

/// What the processes share; made by the crowd.
struct CrowdBoard;

class Crowd {
 public:
  /// Starts the processes and their threads; none has connected yet. Throws std::runtime_error.
  Crowd(const std::string& socket, unsigned clients, unsigned workers);
  /// Kills the processes that are left.
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// Lets all of them attach and register at once; seconds until the last one has. Throws if one
  /// could not.
  double register_all();
  /// Kills client `i` with SIGKILL.
  void kill(unsigned i);

 private:
  CrowdBoard* board_;
  std::vector<pid_t> pids_;  // 0: gone
  unsigned workers_;
};

}  // namespace morpheus::bench
