// SPDX-License-Identifier: GPL-2.0-only
// The jobs that wait on one thread in other lanes than the one that it runs, and which lane is
// next: start-time fair queueing (Goyal, Vin, Cheng 1996). The time that a lane has had, divided by
// its shares, moves its clock; the lane whose clock is behind is next, and one that had nothing to
// do gets no credit for that.
#pragma once

#include <morpheus/detail/job.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "sdk/src/runtime/shared/shared_jobs.hpp"

namespace morpheus::sdk {

/// For one thread at a time; any thread may ask waiting().
class LaneQueues {
 public:
  static constexpr unsigned kMost = SharedJobs::kMostLanes;

  /// One bit for each lane that has jobs here.
  [[nodiscard]] std::uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool empty() const { return waiting() == 0; }

  void put(unsigned lane, const detail::job_list& jobs) {
    if (jobs.empty()) return;
    if (queues_[lane].empty()) clocks_[lane] = std::max(clocks_[lane], now_);
    queues_[lane].append(jobs);
    note(lane);
  }
  [[nodiscard]] detail::job_list take(unsigned lane) {
    const detail::job_list jobs = queues_[lane].take();
    note(lane);
    return jobs;
  }
  [[nodiscard]] detail::job_list take_half(unsigned lane, std::size_t most) {
    const detail::job_list jobs = queues_[lane].take_half(most);
    note(lane);
    return jobs;
  }

  /// The lane has had so much time, up to now.
  void charge(unsigned lane, std::uint64_t ns, unsigned shares) {
    constexpr std::uint64_t kUnit = 1024;
    now_ = std::max(now_, clocks_[lane]);
    clocks_[lane] += ns * kUnit / shares;
  }
  /// Of those that wait, the one whose clock is most behind. Not if none waits.
  [[nodiscard]] unsigned next() const {
    auto best = static_cast<unsigned>(std::countr_zero(waiting()));
    for (unsigned lane = best + 1; lane < kMost; ++lane)
      if ((waiting() >> lane & 1) != 0 && clocks_[lane] < clocks_[best]) best = lane;
    return best;
  }
  [[nodiscard]] bool is_behind(unsigned lane, unsigned other) const {
    return clocks_[lane] < clocks_[other];
  }

 private:
  void note(unsigned lane) {
    const std::uint32_t others = waiting() & ~(std::uint32_t{1} << lane);
    waiting_.store(others | static_cast<std::uint32_t>(!queues_[lane].empty()) << lane,
                   std::memory_order_relaxed);
  }

  std::array<detail::job_list, kMost> queues_{};
  std::array<std::uint64_t, kMost> clocks_{};
  std::uint64_t now_ = 0;
  std::atomic<std::uint32_t> waiting_{0};
};

}  // namespace morpheus::sdk
