// SPDX-License-Identifier: GPL-2.0-only
// A thread of a runtime: how it runs jobs, looks for more, and sleeps. What it runs them with is
// built in floors, one on the other: detail::runner, the hot path; LaneRunner, the jobs that wait
// here and whose turn it is; SharedRunner, how they come and go; ThreadRunner, the slow paths.
#pragma once

#include <morpheus/diagnosis.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "sdk/src/runtime/thread/spin_budget.hpp"
#include "sdk/src/runtime/thread/thread_runner.hpp"

namespace morpheus::sdk {

class RuntimeThread final : public ThreadRunner {
 public:
  /// The thread does not run before start().
  RuntimeThread(PoolState& pool, PoolLanes& lanes, const Peers& peers, unsigned index)
      : ThreadRunner(pool, lanes, peers, index), is_relief_(index >= pool.size) {}

  void start();
  /// Returns at once if it was never started.
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  // --- Any thread
  [[nodiscard]] std::string name() const;
  [[nodiscard]] int tid() const { return tid_.load(std::memory_order_acquire); }
  [[nodiscard]] bool is_relief() const { return is_relief_; }
  [[nodiscard]] thread_stats stats() const;

 private:
  void run();
  void bind_to_cpu() const;
  [[nodiscard]] detail::job* await_work();
  [[nodiscard]] std::uint64_t search_span();
  [[nodiscard]] detail::job* search(std::uint64_t span_ns);
  void ask_others(bool takes);
  [[nodiscard]] bool sleep(bool after_search);
  void ask_all_to_share();
  [[nodiscard]] bool sleep_until_relief();
  void wait_for_call();

  const bool is_relief_;
  std::atomic<int> tid_{0};
  SpinBudget spin_;
  std::thread thread_;
};

}  // namespace morpheus::sdk
