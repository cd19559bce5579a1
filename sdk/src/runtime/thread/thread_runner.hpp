// SPDX-License-Identifier: GPL-2.0-only
// What a thread of a runtime does between two jobs: the slow paths of its runner, and what is due
// when it looks at the clock (timers, events, the kernel's hints).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sdk/src/runtime/thread/disorder.hpp"
#include "sdk/src/runtime/thread/guidance.hpp"
#include "sdk/src/runtime/thread/shared_runner.hpp"
#include "sdk/src/runtime/thread/step_clock.hpp"

namespace morpheus::sdk {

class ThreadRunner : public SharedRunner {
 public:
  /// All of a runtime, by index.
  using Peers = std::vector<ThreadRunner*>;

  /// The calling thread's; null on threads of no runtime.
  [[nodiscard]] static ThreadRunner* current() {
    return detail::here->where() == nullptr ? nullptr : static_cast<ThreadRunner*>(detail::here);
  }

  // --- Any thread
  [[nodiscard]] Guidance& guidance() { return guidance_; }
  [[nodiscard]] const Guidance& guidance() const { return guidance_; }
  /// What the thread was last seen to do.
  struct Sight {
    detail::job* running = nullptr;  ///< null: nothing, or something within the runtime
    bool is_away = false;            ///< it gives up the CPU between two jobs
    std::uint64_t steps = 0;
    bool operator==(const Sight&) const = default;
  };
  [[nodiscard]] Sight sight() const;
  /// Each job is shown to the trace hook before it runs.
  void trace(bool is_on);

  // --- The owner: what the runner's hot path calls; see runner.hpp
  detail::job* yield_slowly(detail::job* self);
  detail::job* next_slowly();
  void fork_slowly(detail::job* const* forks, std::size_t count);
  void unfork_slowly();
  detail::job* give_way(detail::job* self);

 protected:
  ThreadRunner(PoolState& pool, PoolLanes& lanes, const Peers& peers, unsigned index);
  ~ThreadRunner() = default;

  [[nodiscard]] const Peers& peers() const { return peers_; }
  [[nodiscard]] Disorder& disorder() { return disorder_; }

  // --- The owner, inside
  /// The owner goes on with `next`.
  detail::job* begin(detail::job* next);
  void tick();
  /// Before the thread gives up the CPU at a plain safe point, in the midst of a job.
  static void hand_over_here();
  /// The thread that gave up its CPU, maybe for long, and left the first of its timers to the
  /// owner; null: none. The next call returns null.
  [[nodiscard]] ThreadRunner* take_absent() {
    return absent_.exchange(nullptr, std::memory_order_acquire);
  }

 private:
  void shuffle();
  void poll(std::uint64_t now);
  void acknowledge();
  void give_up_cpu();
  void call_stand_in();

  const Peers& peers_;
  Guidance guidance_;
  StepClock clock_;
  std::uint64_t polled_ns_ = 0;
  Disorder disorder_;
  std::atomic<ThreadRunner*> absent_{nullptr};
};

}  // namespace morpheus::sdk
