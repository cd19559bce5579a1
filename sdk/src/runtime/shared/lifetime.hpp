// SPDX-License-Identifier: GPL-2.0-only
// How a runtime ends: it asks its tasks to stop, waits for the last of them, then ends its threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stop_token>

#include "sdk/src/runtime/shared/root_tasks.hpp"
#include "sdk/src/sync/futex.hpp"
#include "sdk/src/sync/spin.hpp"

namespace morpheus::sdk {

/// Any thread.
class Lifetime {
 public:
  /// The tasks that began and have not ended, for lanes to count.
  [[nodiscard]] std::atomic<std::size_t>& live_tasks() { return live_tasks_; }
  /// The last live task has ended.
  void all_ended() {
    ends_.fetch_add(1, std::memory_order_release);
    if (stop_.stop_requested()) futex_wake_one(ends_);
  }
  void wait_for_tasks() const {
    while (true) {
      const std::uint32_t seen = ends_.load(std::memory_order_acquire);
      if (live_tasks_.load(std::memory_order_acquire) == 0) return;
      futex_wait(ends_, seen);
    }
  }

  /// A thread of another runtime or of none is about to queue a job, which may be the last one that
  /// keeps this runtime: it lives until end_post().
  void begin_post() { posting_.fetch_add(1, std::memory_order_relaxed); }
  void end_post() { posting_.fetch_sub(1, std::memory_order_release); }
  void wait_for_posts() const {
    spin_until([this] { return posting_.load(std::memory_order_acquire) == 0; });
  }

  [[nodiscard]] std::stop_token stop_token() const { return stop_.get_token(); }
  void request_stop() {
    stop_.request_stop();
    root_tasks_.stop();
  }
  [[nodiscard]] RootTasks& root_tasks() { return root_tasks_; }
  /// Threads that find nothing to do return from now on.
  void end_threads() { is_ending_.store(true, std::memory_order_release); }
  [[nodiscard]] bool is_ending() const { return is_ending_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::size_t> live_tasks_{0};
  std::atomic<std::uint32_t> ends_{0};
  std::atomic<std::size_t> posting_{0};  // threads
  std::stop_source stop_;
  RootTasks root_tasks_;
  std::atomic<bool> is_ending_{false};
};

}  // namespace morpheus::sdk
