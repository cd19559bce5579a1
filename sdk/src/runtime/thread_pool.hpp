// SPDX-License-Identifier: GPL-2.0-only
// What the workers of one runtime share: jobs that none of them has yet, who of them sleeps, and
// how they begin and end.
#pragma once

#include <morpheus/detail/driver.hpp>
#include <morpheus/detail/spin_lock.hpp>
#include <morpheus/runtime.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "sdk/src/runtime/shared/blocking_threads.hpp"
#include "sdk/src/runtime/shared/pool_lane.hpp"
#include "sdk/src/runtime/thread/runtime_thread.hpp"
#include "sdk/src/runtime/watch.hpp"

namespace morpheus::sdk {

/// Functions may be called on any thread unless they say otherwise.
class ThreadPool {
 public:
  /// Starts the threads. Throws std::system_error.
  ThreadPool(runtime& owner, const runtime_options& options);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  /// Waits until every task has ended, then ends the threads.
  ~ThreadPool();

  [[nodiscard]] runtime& owner() const { return owner_; }
  [[nodiscard]] PoolLane& home() { return *lanes_[PoolLane::kHome]; }
  [[nodiscard]] const runtime_options& options() const { return options_; }
  /// Workers; the relief workers come after them.
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t threads() const { return workers_.size(); }
  [[nodiscard]] RuntimeThread& worker(std::size_t index) { return *workers_[index]; }
  [[nodiscard]] std::stop_source& stop() { return stop_; }
  [[nodiscard]] BlockingThreads& blocking() { return blocking_; }
  void notice_end();

  // --- Lanes
  // -----------------------------------------------------------------------------------------
  /// Throws std::length_error.
  [[nodiscard]] PoolLane& add_group(const group_options& options);
  [[nodiscard]] PoolLane& lane_of(RuntimeThread& worker) {
    has_lanes_.store(true, std::memory_order_relaxed);
    return *own_lanes_[worker.index()];
  }
  /// The lane of that number on that worker.
  [[nodiscard]] PoolLane& lane(unsigned number, const RuntimeThread& worker) {
    return number == PoolLane::kOwn ? *own_lanes_[worker.index()] : *lanes_[number];
  }
  /// Whether any but home is in use.
  [[nodiscard]] bool has_lanes() const { return has_lanes_.load(std::memory_order_relaxed); }

  // --- Jobs that no worker has
  // ---------------------------------------------------------------------
  /// Makes jobs available to all workers, and wakes one that sleeps.
  void share(PoolLane& lane, const detail::job_list& jobs) {
    put_shared(lane, jobs);
    call_one();
  }
  /// The same without waking anybody. Not for lanes of one worker.
  void put_shared(PoolLane& lane, const detail::job_list& jobs);
  [[nodiscard]] bool has_shared() const {
    return shared_lanes_.load(std::memory_order_seq_cst) != 0;
  }
  /// Calls `take(number of a lane, jobs)` for a worker's part of them.
  template <class F>
  void take_shared(F take) {
    constexpr std::size_t kMost = 64;
    const std::scoped_lock lock(shared_lock_);
    for (std::uint32_t left = shared_lanes_.load(std::memory_order_relaxed); left != 0;
         left &= left - 1) {
      const auto number = static_cast<unsigned>(std::countr_zero(left));
      detail::job_list& queue = shared_[number];
      take(number, threads() == 1 ? queue.take() : queue.take_half(kMost));
      if (queue.empty())
        shared_lanes_.fetch_and(~(std::uint32_t{1} << number), std::memory_order_relaxed);
    }
  }

  // --- Workers that look for work
  // --------------------------------------------------------------------
  /// Wakes a sleeping worker unless one looks for work already.
  void call_one();
  /// The workers make no step: a relief worker runs what is shared, unless another worker can.
  void call_relief();
  /// `away` gives up its CPU: one that sleeps, if there is one, stands in for it.
  void call_stand_in(RuntimeThread& away);
  /// A worker has woken up.
  void notice_wake() {
    if (watch_) watch_->notice_wake();
  }
  /// What workers wait in instead of sleeping; null: none.
  [[nodiscard]] detail::driver* driver() const { return driver_.load(std::memory_order_acquire); }
  [[nodiscard]] bool set_driver(detail::driver* driver);
  void wait_until_nobody_drives();
  [[nodiscard]] bool is_nobody_driving() const {
    return driver() != nullptr && drives_.load(std::memory_order_relaxed) == nullptr;
  }
  /// Only one worker at a time waits in the driver, or polls it, unless that one is held up.
  [[nodiscard]] bool begin_to_drive(const RuntimeThread& worker);
  void end_driving(const RuntimeThread& worker);
  void release_driver(const RuntimeThread& worker);
  void trace(std::function<void(const trace_event&)> hook);
  void tell_trace(const trace_event& event);
  [[nodiscard]] const std::atomic<bool>& is_call_useful() const { return is_call_useful_; }
  /// The worker has nothing to do. False: enough others look for work.
  [[nodiscard]] bool begin_search();
  void end_search();
  /// The worker is about to sleep, after a search or without one.
  void add_idle(RuntimeThread& worker, bool after_search);
  /// The worker does not sleep after all. False: somebody has woken it.
  [[nodiscard]] bool remove_idle(RuntimeThread& worker);
  [[nodiscard]] bool is_ending() const { return is_ending_.load(std::memory_order_acquire); }

  /// Whether workers that spin keep nobody from running, as far as this process is concerned.
  [[nodiscard]] bool may_spin() const { return may_spin_; }

 private:
  void join_all();
  void update_call();  // under idle_lock_

  runtime& owner_;
  const runtime_options options_;
  std::atomic<std::size_t> live_{0};  // tasks that began and have not ended, in all lanes
  std::array<std::unique_ptr<PoolLane>, LaneQueues::kMost>
      lanes_;  // by number; one is added before it is used
  std::mutex groups_lock_;
  std::vector<std::unique_ptr<PoolLane>> own_lanes_;  // by worker
  std::atomic<bool> has_lanes_{false};
  std::stop_source stop_;
  bool has_attached_ = false;
  BlockingThreads blocking_;
  std::size_t size_ = 0;
  bool may_spin_ = false;
  std::vector<std::unique_ptr<RuntimeThread>> workers_;

  detail::spin_lock shared_lock_;
  std::array<detail::job_list, LaneQueues::kMost> shared_{};  // by lane
  std::atomic<std::uint32_t> shared_lanes_{0};                // those with jobs, one bit each

  detail::spin_lock idle_lock_;
  std::vector<RuntimeThread*> idle_;
  unsigned searching_ = 0;
  std::atomic<bool> is_call_useful_{false};
  std::atomic<bool> is_ending_{false};
  std::atomic<std::uint32_t> ends_{0};

  std::atomic<detail::driver*> driver_{nullptr};
  std::atomic<const RuntimeThread*> drives_{nullptr};
  std::atomic<unsigned> within_driver_{0};

  std::mutex trace_lock_;
  std::function<void(const trace_event&)> trace_;
  std::optional<Watch> watch_;
};

}  // namespace morpheus::sdk
