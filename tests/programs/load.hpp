// SPDX-License-Identifier: GPL-2.0-only
// A child process with threads of given manners on one CPU, run as an ordinary user: the workers
// and the rivals of the kernel tests and of the scheduler benchmark.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/scb.h"
#include "tests/programs/manner.hpp"
#include "tests/sim/histogram.hpp"
#include "tests/witness/witness.hpp"

namespace morpheus::test {

/// What an outsider sees of a thread.
struct Seen {
  std::uint64_t cpu_ns = 0;                ///< /proc/.../schedstat
  std::uint64_t involuntary_switches = 0;  ///< /proc/.../status
  int policy = -1;                         ///< sched_getscheduler(2)
};

class Load {
 public:
  /// Not bound to a CPU.
  static constexpr unsigned kAnyCpu = ~0U;
  /// Each bound to one CPU, in turns.
  static constexpr unsigned kEachCpu = ~1U;

  /// Starts the threads, all bound to `cpu`, and returns when all run. Workers attach to `socket`,
  /// and go on without a daemon if none answers there. Throws std::runtime_error on failure.
  Load(const std::string& socket, unsigned cpu, std::vector<ThreadSpec> threads, Witness* witness);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::size_t size() const { return specs_.size(); }
  [[nodiscard]] pid_t tid(std::size_t thread) const;
  [[nodiscard]] Seen seen(std::size_t thread) const;
  /// CPU time of each thread over the next `seconds`, as a share of their sum.
  [[nodiscard]] std::vector<double> shares(double seconds) const;
  /// CPU time of the first `threads` together over the next `seconds`, as a share of the time that
  /// passes.
  [[nodiscard]] double used(std::size_t threads, double seconds) const;
  /// preempt_seq as the thread itself reads it; it need not start at 0.
  [[nodiscard]] std::uint64_t hints(std::size_t thread) const;
  /// As the thread itself reads it from its kernel line.
  [[nodiscard]] std::uint64_t last_escalation_ns(std::size_t thread) const;
  /// Units of work done.
  [[nodiscard]] std::uint64_t safe_points(std::size_t thread) const;
  /// How late a sleeper woke, how long a locker waited for the lock. The last samples may be
  /// incomplete.
  [[nodiscard]] sim::Histogram times(std::size_t thread) const;

 private:
  struct Shared;
  [[noreturn]] void child(const std::string& socket, unsigned cpu);
  void run(std::size_t index, unsigned cpu, std::mutex& lock, Match match);
  void await_start();

  std::vector<ThreadSpec> specs_;
  Shared* shared_;
  Witness* witness_;
  pid_t pid_ = -1;
};

}  // namespace morpheus::test
