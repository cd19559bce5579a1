// SPDX-License-Identifier: GPL-2.0-only
// How jobs come to one thread of a runtime and go to others: what is posted to it, what it shares
// when asked, what others take over while it makes no step (see runner.hpp), and its timers.
#pragma once

#include <atomic>
#include <cstdint>

#include "sdk/src/runtime/thread/lane_runner.hpp"
#include "sdk/src/runtime/thread/timer_queue.hpp"

namespace morpheus::sdk {

/// How often something happened on one thread. Written by it, or by a thread that takes over.
struct ThreadCounts {
  std::atomic<std::uint64_t> steps{0}, sleeps{0}, shared{0}, handed_over{0}, taken_over{0};
};

class SharedRunner : public LaneRunner {
 public:
  // --- Any thread
  [[nodiscard]] Sleeper& sleeper() { return sleeper_; }
  [[nodiscard]] Inbox& inbox() { return inbox_; }
  [[nodiscard]] TimerQueue& timers() { return timers_; }
  /// Whether jobs seem to wait here, also those that no other thread may take.
  [[nodiscard]] bool looks_waited_for() const {
    return has_waiting() || inbox_.seems_to_have_jobs();
  }
  /// Whether it gives up its CPU between two jobs.
  [[nodiscard]] bool is_away() const { return running_.load(std::memory_order_acquire) == away(); }
  /// The owner shares at its next step.
  void ask_to_share() {
    if ((attention_.load(std::memory_order_relaxed) & detail::kWanted) == 0)
      attention_.fetch_or(detail::kWanted, std::memory_order_relaxed);
  }
  /// Makes half or all of the jobs of an owner that makes no step available to all threads. False:
  /// there are none, or it is in the midst of a step.
  bool take_over(Part part);
  /// The same with its timers that are due.
  bool take_over_timers(std::uint64_t now);

  // --- The owner
  /// Queues a job of a lane that may not be the one that runs.
  void put(PoolLane& lane, detail::job* ready);
  void serve() {
    wait_for_revocation();
    if ((attention_.load(std::memory_order_relaxed) & detail::kWanted) != 0) share_some();
  }

 protected:
  SharedRunner(PoolState& pool, PoolLanes& lanes, unsigned index)
      : LaneRunner(pool, lanes, index), sleeper_(pool.driver_seat, index), inbox_(sleeper_) {}
  ~SharedRunner() = default;

  // --- The owner, inside
  /// The next job; null: there is none, here or posted by other threads.
  [[nodiscard]] detail::job* take();
  [[nodiscard]] bool has_posted() const { return !pool().shared.empty() || inbox_.has_jobs(); }
  /// Queues its part of what was posted by other threads.
  void take_in();
  void fire_timers(std::uint64_t now);
  /// Lets a thread that takes over finish first.
  void wait_for_revocation();
  /// Makes half of what is ready available to all threads, or the oldest fork.
  void share_some();
  /// Makes everything that waits here, or is due here, available to all threads.
  void hand_over();

  ThreadCounts counts_;

 private:
  Sleeper sleeper_;
  Inbox inbox_;
  TimerQueue timers_;
};

}  // namespace morpheus::sdk
