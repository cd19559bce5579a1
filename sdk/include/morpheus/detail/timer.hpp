// SPDX-License-Identifier: GPL-2.0-only
// A task that waits for a time.
#pragma once

#include <morpheus/detail/runner.hpp>

#include <cstddef>
#include <cstdint>

namespace morpheus::sdk {
class TimerQueue;
}

namespace morpheus::detail {

class select_state;

/// In the waiting task's frame. Times are CLOCK_MONOTONIC, nanoseconds.
class timer {
 public:
  explicit timer(std::uint64_t deadline_ns) noexcept : deadline_ns_(deadline_ns) {}
  /// Only one that was not started may be moved from.
  timer(timer&& other) noexcept : deadline_ns_(other.deadline_ns_) {}
  timer& operator=(timer&&) = delete;

  [[nodiscard]] MORPHEUS_API static std::uint64_t now_ns() noexcept;

  /// Before a stop() that may come before start(): on the thread that will start it.
  MORPHEUS_API void prepare() noexcept;
  /// Resumes `task`, which runs on this thread, in its lane at the deadline or soon after. False:
  /// the timer was stopped already. Throws std::bad_alloc.
  MORPHEUS_API bool start(job* task);
  /// The same for one of the waits among which a task selects, if it can be claimed then.
  MORPHEUS_API void start_selected(select_state& among);
  /// Resumes the task now if it still waits, or else keeps it from waiting. Any thread.
  MORPHEUS_API void stop() noexcept;
  /// Whether stop() came before the deadline. After the wait.
  [[nodiscard]] bool was_stopped() const noexcept { return is_stopped_; }
  /// From now on it resumes nothing. False: it has done so already. Any thread.
  MORPHEUS_API bool cancel() noexcept;

 private:
  friend sdk::TimerQueue;
  static constexpr std::size_t kOutside = ~std::size_t{0};
  std::uint64_t deadline_ns_;
  job* task_ = nullptr;
  lane* where_ = nullptr;
  select_state* among_ = nullptr;
  sdk::TimerQueue* queue_ = nullptr;
  std::uint64_t number_ = 0;
  std::size_t index_ = kOutside;  // in the queue's heap
  bool is_stopped_ = false;       // under the queue's lock
};

}  // namespace morpheus::detail
