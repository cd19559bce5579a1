// SPDX-License-Identifier: GPL-2.0-only
// One worker thread of a pool: its loop, and the slow paths of its runner.
#pragma once

#include <morpheus/detail/runner.hpp>
#include <morpheus/diagnosis.hpp>
#include <morpheus/worker.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "sdk/src/runtime/thread/lane_queues.hpp"
#include "sdk/src/runtime/shared/pool_lane.hpp"
#include "sdk/src/runtime/thread/spin_budget.hpp"
#include "sdk/src/runtime/thread/timer_queue.hpp"

namespace morpheus::sdk {

class ClientThread;
class ThreadPool;

class RuntimeThread final : public detail::runner {
 public:
  RuntimeThread(ThreadPool& pool, unsigned index, bool is_relief);

  void start();
  void join() { thread_.join(); }
  /// The calling thread's; null on threads that are no workers.
  [[nodiscard]] static RuntimeThread* current() {
    return detail::here->where() == nullptr ? nullptr : static_cast<RuntimeThread*>(detail::here);
  }
  [[nodiscard]] unsigned index() const { return index_; }
  [[nodiscard]] std::string name() const;
  [[nodiscard]] ThreadPool& pool() const { return pool_; }

  [[nodiscard]] TimerQueue& timers() { return timers_; }
  [[nodiscard]] bool is_relief() const { return is_relief_; }

  // --- Any thread
  // ----------------------------------------------------------------------------------
  /// Ends the worker's sleep. At most one futex(2).
  void wake();
  /// Queues a job that only this worker may run.
  void post(detail::job* ready);
  /// Whether it seems to have jobs that others could take.
  [[nodiscard]] bool looks_busy() const {
    constexpr std::uint32_t kOwn = 1U << PoolLane::kOwn;
    return (lanes_.waiting() & ~kOwn) != 0 ||
           (!keeps_.load(std::memory_order_relaxed) && has_ready());
  }
  /// The same, and those that it keeps.
  [[nodiscard]] bool looks_waited_for() const {
    return !lanes_.empty() || has_ready() || has_inbox_.load(std::memory_order_relaxed);
  }
  void ask_to_share() {
    if ((attention_.load(std::memory_order_relaxed) & detail::kWanted) == 0)
      attention_.fetch_or(detail::kWanted, std::memory_order_relaxed);
  }
  enum class Part : std::uint8_t { half, all };
  /// Makes half or all of the jobs of an owner that makes no step available to all workers. False:
  /// there are none, or it is in the midst of a step.
  bool bereave(Part taken);
  /// The same with its timers that are due.
  bool bereave_timers(std::uint64_t now);
  [[nodiscard]] thread_stats stats() const;
  void trace(bool is_on);
  /// `other` gives up its CPU, maybe for long: from its next sleep on, this worker keeps the first
  /// of its timers.
  void stand_in_for(RuntimeThread& other) {
    stands_in_for_.store(&other, std::memory_order_release);
    wake();
  }
  /// What the worker was last seen to do.
  struct Sight {
    detail::job* running = nullptr;  ///< null: nothing, or something within the runtime
    bool is_away = false;            ///< it gives up the CPU between two jobs
    std::uint64_t steps = 0;
    bool operator==(const Sight&) const = default;
  };
  [[nodiscard]] Sight sight() const;
  [[nodiscard]] bool is_away() const { return running_.load(std::memory_order_acquire) == away(); }
  [[nodiscard]] bool is_asleep() const { return is_asleep_.load(std::memory_order_relaxed) != 0; }
  [[nodiscard]] int tid() const { return tid_.load(std::memory_order_acquire); }
  /// The kernel line's words about the thread; all 0 without a daemon.
  [[nodiscard]] morpheus_guidance guidance() const;
  /// Makes the next co_await checkpoint() give way.
  void ask_to_give_way();

  // --- The owner: what the runner's hot path calls
  // ---------------------------------------------------
  /// Queues a job of a lane that does not run now.
  void put(PoolLane& lane, detail::job* ready);
  detail::job* yield_slowly(detail::job* self);
  detail::job* next_slowly();
  void serve();
  void call_an_idle_worker();
  void fork_slowly(detail::job* const* forks, std::size_t count);
  void unfork_slowly();
  detail::job* give_way(detail::job* self);

 private:
  // pool_worker.cpp: its thread
  void run();
  [[nodiscard]] std::optional<worker> registration() const;
  void bind_to_cpu() const;
  [[nodiscard]] detail::job* await_work();
  [[nodiscard]] std::uint64_t search_span();
  [[nodiscard]] detail::job* search(std::uint64_t span_ns);
  void ask_others(bool takes);
  [[nodiscard]] bool sleep(bool after_search);
  [[nodiscard]] bool sleep_until_relief();
  void wait_for_call();
  void sleep_until(std::uint64_t deadline);
  [[nodiscard]] bool drive(std::uint64_t deadline);

  // pool_worker_steps.cpp: what it does between two jobs
  [[nodiscard]] detail::job* take();
  void take_in();
  void queue(PoolLane& lane, const detail::job_list& jobs);
  void take_turns();
  void charge(std::uint64_t now);
  void poll(std::uint64_t now);
  void tick();
  void set_ticks(std::uint64_t now);
  void fire_timers(std::uint64_t now);
  void share_some();
  void answer_kernel();
  void give_up_cpu();
  void hand_over();
  static void hand_over_here();
  void note_hints();
  void wait_for_revocation();
  detail::job* begin(detail::job* next);
  void shuffle();
  [[nodiscard]] bool chance(unsigned one_in);
  void note_mode(std::uint64_t now);
  void add_steps();
  bool give(Part given);

  [[nodiscard]] PoolLane& lane() const { return static_cast<PoolLane&>(*lane_); }
  [[nodiscard]] bool has_ready() const { return !ready_.empty() || !forks_.empty(); }
  [[nodiscard]] bool has_posted() const;

  struct Counts {  // written by the owner, or by whoever takes jobs
    std::atomic<std::uint64_t> steps{0}, sleeps{0}, shared{0}, handed_over{0}, taken_over{0},
        hints{0}, yields{0};
  };

  ThreadPool& pool_;
  const unsigned index_;
  const bool is_relief_;
  Counts counts_;
  std::atomic<bool> is_guided_{false};
  std::atomic<morpheus_runtime_mode> mode_{MORPHEUS_DETERMINISTIC};
  std::uint64_t mode_noted_ns_ = 0;
  std::uint64_t random_ = 0;  // not 0: shuffles
  std::atomic<int> tid_{0};
  std::atomic<const ClientThread*> client_thread_{nullptr};
  std::atomic<morpheus_safepoint*> safe_point_{nullptr};
  std::uint64_t last_tick_ns_ = 0;
  std::int32_t tick_span_ = 1;
  LaneQueues lanes_;
  std::uint64_t charged_ns_ = 0;    // up to when lanes have been charged; 0: from now on
  std::atomic<bool> keeps_{false};  // it runs its own lane: what is ready may not be taken
  detail::spin_lock inbox_lock_;
  detail::job_list inbox_;  // of its own lane, from other threads
  std::atomic<bool> has_inbox_{false};
  SpinBudget spin_;
  TimerQueue timers_;
  std::uint64_t driven_ns_ = 0;
  std::atomic<bool> is_driving_{false};
  std::atomic<std::uint32_t> is_asleep_{0};
  std::atomic<RuntimeThread*> stands_in_for_{nullptr};
  std::thread thread_;
};

}  // namespace morpheus::sdk
