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

/// In the waiting task's frame. Times are CLOCK_MONOTONIC, nanoseconds.
class timer {
 public:
  explicit timer(std::uint64_t deadline_ns) noexcept : deadline_ns_(deadline_ns) {}
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  [[nodiscard]] MORPHEUS_API static std::uint64_t now_ns() noexcept;

  /// Before a stop() that may come before start(): on the thread that will start it.
  MORPHEUS_API void prepare() noexcept;
  /// Resumes `task`, which runs on this thread, in its lane at the deadline or soon after. False:
  /// the timer was stopped already. Throws std::bad_alloc.
  MORPHEUS_API bool start(job* task);
  /// Resumes the task now if it still waits, or else keeps it from waiting. Any thread.
  MORPHEUS_API void stop() noexcept;

 private:
  friend sdk::TimerQueue;
  static constexpr std::size_t kOutside = ~std::size_t{0};
  std::uint64_t deadline_ns_;
  job* task_ = nullptr;
  lane* where_ = nullptr;
  sdk::TimerQueue* queue_ = nullptr;
  std::uint64_t number_ = 0;
  std::size_t index_ = kOutside;  // in the queue's heap, if it was prepared
  bool is_stopped_ = false;       // under the queue's lock
};

}  // namespace morpheus::detail
