// SPDX-License-Identifier: GPL-2.0-only
// One worker thread of a pool: its loop, and the slow paths of its runner.
#pragma once

#include <morpheus/detail/runner.hpp>
#include <morpheus/worker.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>

#include "sdk/src/timer_queue.hpp"

namespace morpheus::sdk {

class WorkerPool;

class PoolWorker final : public detail::runner {
 public:
  PoolWorker(WorkerPool& pool, unsigned index);

  void start();
  void join() { thread_.join(); }
  [[nodiscard]] unsigned index() const { return index_; }
  [[nodiscard]] WorkerPool& pool() const { return pool_; }

  [[nodiscard]] TimerQueue& timers() { return timers_; }

  // --- Any thread ----------------------------------------------------------------------------------
  /// Ends the worker's sleep. At most one futex(2).
  void wake();
  /// Whether it seems to have jobs that others could take.
  [[nodiscard]] bool looks_busy() const { return !ready_.empty() || !forks_.empty(); }
  void ask_to_share() {
    if ((attention_.load(std::memory_order_relaxed) & detail::kWanted) == 0)
      attention_.fetch_or(detail::kWanted, std::memory_order_relaxed);
  }
  /// Takes half of the jobs of an owner that makes no step. Nothing if it is in the midst of one.
  [[nodiscard]] detail::job_list bereave();

  // --- The owner: what the runner's hot path calls ---------------------------------------------------
  detail::job* yield_slowly(detail::job* self);
  detail::job* next_slowly();
  void serve();
  void call_an_idle_worker();
  void fork_slowly(detail::job* const* forks, std::size_t count);
  void unfork_slowly();
  detail::job* give_way(detail::job* self);

 private:
  void run();
  [[nodiscard]] std::optional<worker> registration() const;
  [[nodiscard]] detail::job* await_work();
  [[nodiscard]] detail::job* take();
  [[nodiscard]] detail::job* search();
  [[nodiscard]] bool sleep(bool after_search);
  void wait_for_call();
  void tick();
  void set_ticks(std::uint64_t now);
  void share_some();
  void share_all();
  void answer_kernel();
  void wait_for_revocation();
  detail::job_list half();

  WorkerPool& pool_;
  const unsigned index_;
  std::uint64_t last_tick_ns_ = 0;
  std::int32_t tick_span_ = 1;
  TimerQueue timers_;
  std::atomic<std::uint32_t> is_asleep_{0};
  std::thread thread_;
};

}  // namespace morpheus::sdk
