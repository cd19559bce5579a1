// SPDX-License-Identifier: GPL-2.0-only
// The timers of one worker, earliest first. Another thread may fire them if the worker is held up.
#pragma once

#include <morpheus/detail/spin_lock.hpp>
#include <morpheus/detail/timer.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace morpheus::sdk {

/// Any thread. Times are CLOCK_MONOTONIC, nanoseconds.
class TimerQueue {
 public:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  /// See detail::timer: prepare(), start() and stop().
  void prepare(detail::timer& timer) { timer.queue_ = this; }
  [[nodiscard]] bool add(detail::timer& timer, detail::job* task, detail::lane* where);
  static void remove(detail::timer& timer);
  /// When the first one is due.
  [[nodiscard]] std::uint64_t earliest() const { return earliest_.load(std::memory_order_relaxed); }
  /// Calls `resume(task, its lane)` for each task whose time has come, in the order of the deadlines.
  /// Under the queue's lock.
  template <class F>
  void fire(std::uint64_t now_ns, F resume) {
    const std::scoped_lock lock(lock_);
    while (!heap_.empty() && heap_.front().deadline_ns <= now_ns) {
      detail::timer& timer = *heap_.front().timer;
      timer.index_ = detail::timer::kOutside;
      take_out(0);
      resume(timer.task_, timer.where_);
    }
    note_earliest();
  }

 private:
  struct Entry {
    std::uint64_t deadline_ns;
    std::uint64_t number;  // equal deadlines: first come, first served
    detail::timer* timer;
    [[nodiscard]] bool is_before(const Entry& other) const {
      return deadline_ns != other.deadline_ns ? deadline_ns < other.deadline_ns
                                              : number < other.number;
    }
  };
  void put(std::size_t index, const Entry& entry);
  void rise(std::size_t index, const Entry& entry);
  void sink(std::size_t index, const Entry& entry);
  void take_out(std::size_t index);
  void note_earliest();

  detail::spin_lock lock_;
  std::vector<Entry> heap_;  // each entry before its four children
  std::uint64_t added_ = 0;
  std::atomic<std::uint64_t> earliest_{kNever};
};

}  // namespace morpheus::sdk
