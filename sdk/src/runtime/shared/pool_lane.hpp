// SPDX-License-Identifier: GPL-2.0-only
// The lanes of a pool: one for all tasks that say nothing else, one for each group, and one for
// each worker, whose tasks stay there.
#pragma once

#include <morpheus/detail/runner.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace morpheus::sdk {

class RuntimeThread;
class ThreadPool;

class PoolLane final : public detail::lane {
 public:
  static constexpr unsigned kHome = 0;  ///< the number of the lane of all tasks
  static constexpr unsigned kOwn = 1;   ///< on each worker, of the lane that is the worker's own
  static constexpr unsigned kFirstGroup = 2;
  static constexpr unsigned kUsualShares = 1000;

  PoolLane(ThreadPool& pool, std::atomic<std::size_t>& live, unsigned number, unsigned shares,
           std::string name, RuntimeThread* owner = nullptr)
      : lane(live),
        pool_(pool),
        number_(number),
        shares_(shares),
        name_(std::move(name)),
        owner_(owner) {}

  [[nodiscard]] ThreadPool& pool() const { return pool_; }
  /// Among those that meet on one worker.
  [[nodiscard]] unsigned number() const { return number_; }
  [[nodiscard]] unsigned shares() const { return shares_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// The only worker that runs its jobs; null: any.
  [[nodiscard]] RuntimeThread* owner() const { return owner_; }

  void add_run_time(std::uint64_t ns) { run_ns_.fetch_add(ns, std::memory_order_relaxed); }
  [[nodiscard]] std::chrono::nanoseconds run_time() const {
    return std::chrono::nanoseconds(run_ns_.load(std::memory_order_relaxed));
  }

 private:
  ThreadPool& pool_;
  const unsigned number_;
  const unsigned shares_;
  const std::string name_;
  RuntimeThread* const owner_;
  std::atomic<std::uint64_t> run_ns_{0};
};

}  // namespace morpheus::sdk
