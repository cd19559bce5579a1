// SPDX-License-Identifier: GPL-2.0-only
// How the threads of a load behave: what they do between two safe points, and what they claim.
#pragma once

#include <morpheus/morpheus.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "proto/scb.h"
#include "tests/sim/histogram.hpp"
#include "tests/witness/witness.h"

namespace morpheus::test {

enum class Manner : std::uint8_t {
  cooperative,  ///< a worker with a safe point every 50 us
  deaf,         ///< a worker that never looks
  critical,     ///< a deaf worker that stays inside a critical section
  rival,        ///< no worker: burns CPU
  sleeper,      ///< no worker: sleeps for a little, again and again
  acker,        ///< a worker that acknowledges every hint and goes on
  prophet,      ///< a worker that claims to have acknowledged hints that are yet to come
  flipper,      ///< a deaf worker that consents and withdraws its consent all the time
  locker,   ///< a cooperative worker that takes the load's lock in a critical section, again and
            ///< again
  grabber,  ///< a worker that is critical for 8 ms, then sleeps for an instant, again and again
  yielder,  ///< no worker: gives its CPU up all the time
  player,   ///< no worker: sends a byte to and fro with its neighbour (0 with 1, 2 with 3, ...)
};

struct ThreadSpec {
  Manner manner = Manner::cooperative;
  bool escapable = false;
  int state = MORPHEUS_WORKER_RUNNING;  ///< REGISTERED, RUNNING or QUIESCING
  int nice = 0;
  int policy = MORPHEUS_POLICY_THREAD_KICK;
  unsigned priority = MORPHEUS_PRIORITY_DEFAULT;
  unsigned sleep_us = 1000;  ///< of a sleeper
  unsigned work_us = 20;     ///< of a sleeper, after it woke
};

[[nodiscard]] constexpr bool is_worker(Manner manner) {
  return manner != Manner::rival && manner != Manner::sleeper && manner != Manner::yielder &&
         manner != Manner::player;
}

/// What a thread reports to the parent process.
struct Account {
  std::atomic<pid_t> tid;
  std::atomic<std::uint64_t> hints, last_escalation_ns, safe_points;
  sim::Histogram times;
};

/// The pipe ends of a player: what its neighbour sends it, and where it sends.
struct Match {
  int from = -1;
  int to = -1;
  bool serves = false;
};

/// One thread in its manner.
class Actor {
 public:
  /// Registers the calling thread, if it is a worker's. Ends the process on failure. `mark` may be
  /// null.
  Actor(const ThreadSpec& spec, Account& account, witness_mark* mark, std::mutex& lock,
        Match match);
  /// Goes on until the process is killed.
  [[noreturn]] void act();

 private:
  void enlist();
  void unit();
  void sleep_and_look();
  void lock_and_work();
  void play();
  void grab();
  void claim();
  void look();
  [[nodiscard]] volatile morpheus_scb_runtime& runtime_line() const;
  [[nodiscard]] const volatile morpheus_scb_kernel& kernel_line() const;

  ThreadSpec spec_;
  Account& account_;
  witness_mark* mark_;
  std::mutex& lock_;
  Match match_;
  morpheus_thread* self_ = nullptr;
  morpheus_safepoint here_{};
  bool is_guided_ = false;  // by a daemon
};

}  // namespace morpheus::test
