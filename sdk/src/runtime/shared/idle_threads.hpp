// SPDX-License-Identifier: GPL-2.0-only
// The threads of a runtime that have nothing to do: those that sleep, and how many look for work.
#pragma once

#include <morpheus/detail/spin_lock.hpp>

#include <atomic>
#include <vector>

#include "sdk/src/runtime/shared/sleeper.hpp"

namespace morpheus::sdk {

/// Any thread.
class IdleThreads {
 public:
  /// Wakes a thread that sleeps, unless one looks for work already. It counts as one that does.
  void call_one();
  /// Whether call_one() would wake a thread.
  [[nodiscard]] const std::atomic<bool>& is_call_useful() const { return is_call_useful_; }
  [[nodiscard]] bool is_any_searching();

  /// A thread has nothing to do. False: enough others look for work.
  [[nodiscard]] bool begin_search();
  void end_search();
  /// A thread is about to sleep, after a search or without one.
  void add(Sleeper& thread, bool after_search);
  /// It does not sleep after all. False: call_one() has woken it.
  [[nodiscard]] bool remove(Sleeper& thread);

 private:
  void update_call();  // under lock_

  detail::spin_lock lock_;
  std::vector<Sleeper*> asleep_;
  unsigned searching_ = 0;
  std::atomic<bool> is_call_useful_{false};
};

}  // namespace morpheus::sdk
