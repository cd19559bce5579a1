// SPDX-License-Identifier: GPL-2.0-only
// The jobs that wait on one thread of a runtime, and which of them comes next. Those of the lane
// that runs stand in the runner's own list and stack; those of other lanes wait for their turn.
#pragma once

#include <morpheus/detail/runner.hpp>

#include <atomic>
#include <cstdint>

#include "sdk/src/runtime/shared/pool_lanes.hpp"
#include "sdk/src/runtime/shared/pool_state.hpp"
#include "sdk/src/runtime/thread/lane_queues.hpp"

namespace morpheus::sdk {

class LaneRunner : public detail::runner {
 public:
  // --- Any thread
  [[nodiscard]] PoolState& pool() const { return pool_; }
  [[nodiscard]] unsigned index() const { return index_; }
  /// Whether it seems to have jobs that other threads could take.
  [[nodiscard]] bool looks_busy() const {
    constexpr std::uint32_t kOwn = 1U << PoolLane::kOwn;
    return (queues_.waiting() & ~kOwn) != 0 ||
           (!keeps_.load(std::memory_order_relaxed) && has_ready());
  }

 protected:
  LaneRunner(PoolState& pool, PoolLanes& lanes, unsigned index);
  ~LaneRunner() = default;

  /// Whether anything waits here, also what no other thread may take.
  [[nodiscard]] bool has_waiting() const { return !queues_.empty() || has_ready(); }

  // --- The owner, inside
  void queue(PoolLane& lane, const detail::job_list& jobs) {
    if (&lane == lane_)
      ready_.append(jobs);
    else
      queues_.put(lane.number(), jobs);
  }
  void queue(unsigned lane, const detail::job_list& jobs) { queue(lanes_.at(lane, index_), jobs); }
  /// Queues the forks behind what is ready.
  void queue_forks() {
    while (!forks_.empty()) ready_.push(forks_.pop_oldest());
  }
  /// The next job of the lane whose turn it is; null: none waits here. Nothing runs.
  [[nodiscard]] detail::job* pop() {
    if (!queues_.empty()) take_turns();
    if (detail::job* const ready = ready_.pop()) return ready;
    return forks_.empty() ? nullptr : forks_.pop();
  }
  /// The lane has run until now, if lanes are charged at all.
  void charge(std::uint64_t now);
  /// Nothing runs until the next charge().
  void stop_charging() { charged_ns_ = 0; }
  [[nodiscard]] bool has_other_lanes() const { return lanes_.has_others(); }

  // --- The owner, inside, or a thread that takes over
  /// Makes half or all of what waits here available to all threads. False: there is nothing.
  bool give(Part part);

 private:
  void take_turns();
  void run_lane(PoolLane& lane);
  [[nodiscard]] PoolLane& lane() const { return static_cast<PoolLane&>(*lane_); }
  [[nodiscard]] bool has_ready() const { return !ready_.empty() || !forks_.empty(); }

  PoolState& pool_;
  PoolLanes& lanes_;
  const unsigned index_;
  std::atomic<bool> keeps_{false};  // it runs its own lane: what is ready may not be taken
  LaneQueues queues_;
  std::uint64_t charged_ns_ = 0;  // up to when lanes have been charged; 0: from now on
};

}  // namespace morpheus::sdk
