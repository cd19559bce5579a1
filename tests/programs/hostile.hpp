// SPDX-License-Identifier: GPL-2.0-only
// Processes that do what ordinary users do to have more of a CPU than their share, and what of it
// their victim feels.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>

#include "tests/programs/control_group.hpp"
#include "tests/programs/load.hpp"

namespace morpheus::test {

/// A process that does the same again and again, until this object ends. Throws std::runtime_error
/// if it cannot be started.
class Repeater {
 public:
  enum class As : bool { root, user };
  Repeater(const std::function<void()>& act, As as, unsigned cpu = Load::kAnyCpu);
  ~Repeater();
  Repeater(const Repeater&) = delete;
  Repeater& operator=(const Repeater&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

/// Processes each of which starts the next, computes for 3 ms and ends, as an ordinary user.
class Chain {
 public:
  Chain();
  ~Chain();
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

 private:
  [[noreturn]] void run();
  std::atomic<bool>* ends_;
};

void compute_for(std::chrono::nanoseconds time);

/// What a thread had that always wants the CPU.
struct Had {
  double share;          ///< of the time that passed
  double longest_gap_s;  ///< without any of it, to 5 ms
};
[[nodiscard]] Had watch(const Load& load, std::size_t thread, std::chrono::duration<double> time);

/// CPU time of a group over the next seconds, as a share of one CPU.
[[nodiscard]] double share_of(const ControlGroup& group, std::chrono::duration<double> time);

/// The longest time, in seconds, in which a control group was made and removed, again and again.
[[nodiscard]] double longest_making(std::chrono::duration<double> time);

}  // namespace morpheus::test
