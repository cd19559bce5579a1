// SPDX-License-Identifier: GPL-2.0-only
// What other threads do with a worker: wake it, give it something, take what waits behind it, look
// at it.
#include "proto/monotonic_clock.hpp"
#include "sdk/src/client/client_thread.hpp"
#include "sdk/src/runtime/thread/runtime_thread.hpp"
#include "sdk/src/runtime/thread_pool.hpp"
#include "sdk/src/sync/futex.hpp"

namespace morpheus::sdk {

using detail::job;
using detail::job_list;

void RuntimeThread::wake() {
  if (is_asleep_.exchange(0, std::memory_order_seq_cst) != 1) return;
  detail::driver* const driver =
      is_driving_.load(std::memory_order_seq_cst) ? pool_.driver() : nullptr;
  if (driver != nullptr)
    driver->interrupt();
  else
    futex_wake_one(is_asleep_);
}

void RuntimeThread::post(job* ready) {
  {
    const std::scoped_lock lock(inbox_lock_);
    inbox_.push(ready);
    has_inbox_.store(true, std::memory_order_seq_cst);
  }
  wake();
}

bool RuntimeThread::bereave(Part taken) {
  if (!can_barrier_all_threads()) return false;
  if ((attention_.fetch_or(detail::kRevoked, std::memory_order_acq_rel) & detail::kRevoked) != 0)
    return false;
  barrier_on_all_threads();
  const bool has_given = running_.load(std::memory_order_acquire) != inside() && give(taken);
  attention_.fetch_and(~std::uint32_t{detail::kRevoked}, std::memory_order_release);
  if (has_given) counts_.taken_over.fetch_add(1, std::memory_order_relaxed);
  return has_given;
}

bool RuntimeThread::bereave_timers(std::uint64_t now) {
  bool has_given = false;
  timers_.fire(now, [&](job* due, detail::lane* where) {
    auto& lane = static_cast<PoolLane&>(*where);
    has_given = true;
    if (lane.owner() != nullptr) return lane.owner()->post(due);
    job_list one;
    one.push(due);
    pool_.put_shared(lane, one);
  });
  return has_given;
}

void RuntimeThread::ask_to_give_way() {
  morpheus_safepoint* const here = safe_point_.load(std::memory_order_acquire);
  if (here == nullptr) return;
  const std::uint64_t* const seq = __atomic_load_n(&here->seq, __ATOMIC_RELAXED);
  __atomic_store_n(&here->seen, ~__atomic_load_n(seq, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

thread_stats RuntimeThread::stats() const {
  const auto read = [](const auto& count) { return count.load(std::memory_order_relaxed); };
  return {.thread = index_,
          .is_guided = read(is_guided_),
          .mode = read(mode_),
          .steps = read(counts_.steps),
          .sleeps = read(counts_.sleeps),
          .shared = read(counts_.shared),
          .handed_over = read(counts_.handed_over),
          .taken_over = read(counts_.taken_over),
          .hints = read(counts_.hints),
          .yields = read(counts_.yields)};
}

void RuntimeThread::trace(bool is_on) {
  if (is_on)
    attention_.fetch_or(detail::kTraced, std::memory_order_release);
  else
    attention_.fetch_and(~std::uint32_t{detail::kTraced}, std::memory_order_release);
}

RuntimeThread::Sight RuntimeThread::sight() const {
  job* const running = running_.load(std::memory_order_acquire);
  const bool is_away = running == away();
  return {.running = is_away || running == inside() ? nullptr : running,
          .is_away = is_away,
          .steps = counts_.steps.load(std::memory_order_relaxed)};
}

morpheus_guidance RuntimeThread::guidance() const {
  const ClientThread* const worker = client_thread_.load(std::memory_order_acquire);
  return worker == nullptr ? morpheus_guidance{} : worker->guidance();
}

}  // namespace morpheus::sdk
