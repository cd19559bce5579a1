// SPDX-License-Identifier: GPL-2.0-only
// The timers of one thread, earliest first. Another thread may fire them if that one is held up.
#pragma once

#include <morpheus/detail/select.hpp>
#include <morpheus/detail/spin_lock.hpp>
#include <morpheus/detail/timer.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "sdk/src/sync/race_detector.hpp"

namespace morpheus::sdk {

/// Any thread. Times are CLOCK_MONOTONIC, nanoseconds.
class TimerQueue {
 public:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  /// See detail::timer: prepare(), start(), stop() and cancel().
  void prepare(detail::timer& timer) { timer.queue_ = this; }
  [[nodiscard]] bool add(detail::timer& timer, detail::job* task, detail::lane* where);
  static void stop(detail::timer& timer);
  [[nodiscard]] static bool cancel(detail::timer& timer);
  /// When the first one is due.
  [[nodiscard]] std::uint64_t earliest() const { return earliest_.load(std::memory_order_relaxed); }
  /// Calls `resume(task, its lane)` for each task whose time has come, in the order of the
  /// deadlines. Under the queue's lock.
  template <class F>
  void fire(std::uint64_t now_ns, F resume) {
    const std::scoped_lock lock(lock_);
    while (size_ > 0 && at(0).deadline_ns <= now_ns) {
      detail::timer& timer = *at(0).timer;
      take_out(timer);
      if (timer.among_ != nullptr) {
        detail::select_state& among = *timer.among_;
        if (!among.claim(&timer)) continue;
        detail::lane* const where = among.where();
        detail::job* const task = among.served();
        if (task == nullptr) continue;
        note_acquire(among.order());
        note_release(task);
        resume(task, where);
      } else {
        resume(timer.task_, timer.where_);
      }
    }
    note_earliest();
  }

 private:
  // All that a move needs: the timers themselves are in frames, all over the memory.
  struct Entry {
    std::uint64_t deadline_ns;
    detail::timer* timer;

    /// Equal deadlines: first come, first served.
    [[nodiscard]] bool is_before(const Entry& other) const {
      if (deadline_ns == other.deadline_ns) [[unlikely]]
        return timer->number_ < other.timer->number_;
      return deadline_ns < other.deadline_ns;
    }
  };
  static constexpr std::size_t kChildren = 4;
  struct alignas(64) Siblings {  // one cache line
    std::array<Entry, kChildren> entries;
  };

  // The first entry is the last of its block, so that the children of each entry are a block.
  [[nodiscard]] Entry& at(std::size_t index) {
    const std::size_t place = index + kChildren - 1;
    return blocks_[place / kChildren].entries[place % kChildren];
  }
  void put(std::size_t index, const Entry& entry);
  void rise(std::size_t index, const Entry& entry);
  void sink(std::size_t index, const Entry& entry);
  void take_out(detail::timer& timer);
  void note_earliest();

  detail::spin_lock lock_;
  std::vector<Siblings> blocks_;  // a heap: each entry before its children
  std::size_t size_ = 0;
  std::uint64_t added_ = 0;
  std::atomic<std::uint64_t> earliest_{kNever};
};

}  // namespace morpheus::sdk
