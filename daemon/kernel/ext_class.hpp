// SPDX-License-Identifier: GPL-2.0-only
// Scope "workers": the scheduler schedules only threads with the policy SCHED_EXT, and the daemon
// gives workers that policy while Enforced mode lasts.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

namespace morpheus::daemon {

class ExtClass {
 public:
  /// From now on until forget() this worker's thread belongs to the class while it is in force.
  void add(std::uint32_t slot, pid_t tid);
  /// Gives the thread its own policy back.
  void forget(std::uint32_t slot);
  /// In force or not: moves all threads. Threads that are gone, and those that chose a real-time
  /// policy themselves, are left alone.
  void set(bool in_force);

 private:
  struct Member {
    pid_t tid;
    int before;  ///< its own policy; -1: it was not moved
  };
  static void move(Member& member);
  static void put_back(Member& member);

  std::map<std::uint32_t, Member> members_;
  bool in_force_ = false;
};

}  // namespace morpheus::daemon
