// SPDX-License-Identifier: GPL-2.0-only
// The load: workers and a probe on one CPU, in a process without privileges.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/bench/measuring/board.hpp"

namespace morpheus::bench {

struct LoadSpec {
  int cpu = 0;
  unsigned safe_point_us = 50;
  std::string socket;
};

/// The process with the workers and the probe. It gives up root first.
class LoadProcess {
 public:
  /// Throws std::runtime_error.
  LoadProcess(Board& board, const LoadSpec& spec);
  LoadProcess(const LoadProcess&) = delete;
  LoadProcess& operator=(const LoadProcess&) = delete;
  /// Tells the board to quit and waits for the process.
  ~LoadProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Throws std::runtime_error if it has ended.
  void expect_alive();

 private:
  Board& board_;
  pid_t pid_;
  bool is_gone_ = false;
};

}  // namespace morpheus::bench
