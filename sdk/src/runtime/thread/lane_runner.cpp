// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/thread/lane_runner.hpp"

#include <bit>

#include "proto/monotonic_clock.hpp"
#include "sdk/src/sync/futex.hpp"

namespace morpheus::sdk {

using detail::job_list;

namespace {

constexpr std::atomic<bool> kNoCallIsUseful{false};

}  // namespace

LaneRunner::LaneRunner(PoolState& pool, PoolLanes& lanes, unsigned index)
    : pool_(pool), lanes_(lanes), index_(index) {
  lane_ = &lanes.home();
  is_call_useful_ = &pool.idle.is_call_useful();
  is_alone_ = pool.threads() == 1 && can_barrier_all_threads();
}

/// Goes over to the lane whose turn it is.
void LaneRunner::take_turns() {
  const unsigned next = queues_.next();
  if (has_ready() && !queues_.is_behind(next, lane().number())) return;
  charge(monotonic_ns());
  queue_forks();
  queues_.put(lane().number(), ready_.take());
  ready_.append(queues_.take(next));
  run_lane(lanes_.at(next, index_));
}

void LaneRunner::run_lane(PoolLane& lane) {
  lane_ = &lane;
  const bool keeps = lane.owner() != nullptr;
  keeps_.store(keeps, std::memory_order_relaxed);
  is_call_useful_ = keeps ? &kNoCallIsUseful : &pool_.idle.is_call_useful();
}

void LaneRunner::charge(std::uint64_t now) {
  if (charged_ns_ != 0 && now > charged_ns_) {
    queues_.charge(lane().number(), now - charged_ns_, lane().shares());
    lane().add_run_time(now - charged_ns_);
  }
  charged_ns_ = now;
}

bool LaneRunner::give(Part part) {
  bool has_given = false;
  const auto put = [&](unsigned lane, const job_list& jobs) {
    if (jobs.empty()) return;
    pool_.shared.put(lane, jobs);
    has_given = true;
  };
  if (!keeps_.load(std::memory_order_relaxed)) {
    job_list jobs = part == Part::all ? ready_.take() : ready_.take_half(SharedJobs::kMost);
    while (!forks_.empty() && (part == Part::all || jobs.empty())) jobs.push(forks_.pop_oldest());
    put(lane().number(), jobs);
  }
  for (std::uint32_t left = queues_.waiting() & ~(1U << PoolLane::kOwn); left != 0;
       left &= left - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(left));
    put(lane, part == Part::all ? queues_.take(lane) : queues_.take_half(lane, SharedJobs::kMost));
  }
  return has_given;
}

}  // namespace morpheus::sdk
