// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/thread/shared_runner.hpp"

#include "proto/monotonic_clock.hpp"
#include "sdk/src/sync/futex.hpp"
#include "sdk/src/sync/spin.hpp"

namespace morpheus::sdk {

using detail::job;
using detail::job_list;

namespace {

job_list list_of(job* one) {
  job_list list;
  list.push(one);
  return list;
}

}  // namespace

// --- Others

bool SharedRunner::take_over(Part part) {
  if (!can_barrier_all_threads()) return false;
  if ((attention_.fetch_or(detail::kRevoked, std::memory_order_acq_rel) & detail::kRevoked) != 0)
    return false;
  barrier_on_all_threads();
  const bool has_given = running_.load(std::memory_order_acquire) != inside() && give(part);
  attention_.fetch_and(~std::uint32_t{detail::kRevoked}, std::memory_order_release);
  if (has_given) counts_.taken_over.fetch_add(1, std::memory_order_relaxed);
  return has_given;
}

bool SharedRunner::take_over_timers(std::uint64_t now) {
  bool has_given = false;
  timers_.fire(now, [&](job* due, detail::lane* where) {
    const auto& lane = static_cast<PoolLane&>(*where);
    has_given = true;
    if (lane.owner() != nullptr) return lane.owner()->post(due);
    pool().shared.put(lane.number(), list_of(due));
  });
  return has_given;
}

// --- The owner

void SharedRunner::put(PoolLane& lane, job* ready) {
  job* const running = enter();
  wait_for_revocation();
  queue(lane, list_of(ready));
  leave(running);
  if (lane.owner() == nullptr) pool().idle.call_one();
}

job* SharedRunner::take() {
  if (job* const waiting = pop()) return waiting;
  if (!has_posted()) return nullptr;
  take_in();
  return pop();
}

void SharedRunner::take_in() {
  if (!pool().shared.empty())
    pool().take_shared([this](unsigned lane, const job_list& jobs) { queue(lane, jobs); });
  if (inbox_.seems_to_have_jobs()) queue(PoolLane::kOwn, inbox_.take());
}

void SharedRunner::fire_timers(std::uint64_t now) {
  timers_.fire(now, [this](job* due, detail::lane* where) {
    queue(static_cast<PoolLane&>(*where), list_of(due));
  });
}

void SharedRunner::wait_for_revocation() {
  constexpr int kSpins = 1000;
  const auto is_free = [this] {
    return (attention_.load(std::memory_order_acquire) & detail::kRevoked) == 0;
  };
  while (!is_free()) {
    leave(nullptr);
    spin_until(is_free, kSpins);
    enter();
  }
}

void SharedRunner::share_some() {
  attention_.fetch_and(~std::uint32_t{detail::kWanted}, std::memory_order_relaxed);
  if (!give(Part::half)) return;
  counts_.shared.fetch_add(1, std::memory_order_relaxed);
  pool().idle.call_one();
}

void SharedRunner::hand_over() {
  fire_timers(monotonic_ns());
  if (!give(Part::all)) return;
  counts_.handed_over.fetch_add(1, std::memory_order_relaxed);
  pool().idle.call_one();
}

}  // namespace morpheus::sdk
