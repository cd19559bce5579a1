// SPDX-License-Identifier: GPL-2.0-only
// The lanes of a runtime: one for all tasks that say nothing else, one for each group, and one for
// each thread, whose tasks stay there.
#pragma once

#include <morpheus/detail/runner.hpp>
#include <morpheus/scheduling_group.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sdk/src/runtime/shared/inbox.hpp"
#include "sdk/src/runtime/shared/pool_state.hpp"

namespace morpheus::sdk {

/// Any thread.
class PoolLane final : public detail::lane {
 public:
  static constexpr unsigned kHome = 0;  ///< the number of the lane of all tasks
  static constexpr unsigned kOwn = 1;   ///< on each thread, of the lane that is the thread's own
  static constexpr unsigned kFirstGroup = 2;
  static constexpr unsigned kUsualShares = 1000;

  PoolLane(PoolState& pool, unsigned number, unsigned shares, std::string name,
           Inbox* owner = nullptr)
      : lane(pool.lifetime.live_tasks()),
        pool_(pool),
        number_(number),
        shares_(shares),
        name_(std::move(name)),
        owner_(owner) {}

  [[nodiscard]] PoolState& pool() const { return pool_; }
  /// Among the lanes that meet on one thread.
  [[nodiscard]] unsigned number() const { return number_; }
  [[nodiscard]] unsigned shares() const { return shares_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Of the only thread that runs its jobs; null: any thread does.
  [[nodiscard]] Inbox* owner() const { return owner_; }

  void add_run_time(std::uint64_t ns) { run_ns_.fetch_add(ns, std::memory_order_relaxed); }
  [[nodiscard]] std::chrono::nanoseconds run_time() const {
    return std::chrono::nanoseconds(run_ns_.load(std::memory_order_relaxed));
  }

 private:
  PoolState& pool_;
  const unsigned number_;
  const unsigned shares_;
  const std::string name_;
  Inbox* const owner_;
  std::atomic<std::uint64_t> run_ns_{0};
};

/// Any thread, but add_own() before the threads start.
class PoolLanes {
 public:
  explicit PoolLanes(PoolState& pool) : pool_(pool) {
    lanes_[PoolLane::kHome] = std::make_unique<PoolLane>(pool, PoolLane::kHome,
                                                         PoolLane::kUsualShares, pool.options.name);
  }

  [[nodiscard]] PoolLane& home() { return *lanes_[PoolLane::kHome]; }
  /// Throws std::length_error.
  [[nodiscard]] PoolLane& add_group(const group_options& options) {
    const std::scoped_lock lock(groups_lock_);
    for (unsigned number = PoolLane::kFirstGroup; number < lanes_.size(); ++number) {
      if (lanes_[number]) continue;
      lanes_[number] = std::make_unique<PoolLane>(pool_, number, options.shares, options.name);
      has_others_.store(true, std::memory_order_relaxed);
      return *lanes_[number];
    }
    throw std::length_error("a runtime has at most 14 groups");
  }
  /// The lane of the next thread.
  void add_own(std::string thread_name, Inbox& owner) {
    own_lanes_.push_back(std::make_unique<PoolLane>(pool_, PoolLane::kOwn, PoolLane::kUsualShares,
                                                    std::move(thread_name), &owner));
  }
  [[nodiscard]] PoolLane& own(std::size_t thread) {
    has_others_.store(true, std::memory_order_relaxed);
    return *own_lanes_[thread];
  }
  /// The lane of that number on that thread.
  [[nodiscard]] PoolLane& at(unsigned number, std::size_t thread) {
    return number == PoolLane::kOwn ? *own_lanes_[thread] : *lanes_[number];
  }
  /// Whether any lane but home is in use.
  [[nodiscard]] bool has_others() const { return has_others_.load(std::memory_order_relaxed); }

 private:
  PoolState& pool_;
  // By number; one is added before it is used.
  std::array<std::unique_ptr<PoolLane>, SharedJobs::kMostLanes> lanes_;
  std::mutex groups_lock_;
  std::vector<std::unique_ptr<PoolLane>> own_lanes_;  // by thread
  std::atomic<bool> has_others_{false};
};

}  // namespace morpheus::sdk
