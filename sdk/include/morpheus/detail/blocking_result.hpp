// SPDX-License-Identifier: GPL-2.0-only
// How a thread outside the runtime waits for a task.
#pragma once

#include <morpheus/detail/root_context.hpp>
#include <morpheus/task.hpp>

#include <atomic>
#include <utility>

namespace morpheus::detail {

/// Stays where it is from start() until wait() has returned.
template <class T>
class blocking_result final : root_context {
 public:
  explicit blocking_result(task<T> awaited) noexcept
      : root_context(&blocking_result::on_end), task_(std::move(awaited)) {}

  [[nodiscard]] job* start() noexcept {
    task_.frame().promise().complete_alone_at_end(*this);
    return job_of(task_.frame());
  }
  T wait() {
    has_ended_.wait(false, std::memory_order_acquire);
    return task_.frame().promise().take();
  }

 private:
  static job* on_end(completion& self, job*) noexcept {
    auto& flag = static_cast<blocking_result&>(self).has_ended_;
    flag.store(true, std::memory_order_release);
    flag.notify_one();
    return nullptr;
  }

  task<T> task_;
  std::atomic<bool> has_ended_{false};
};

}  // namespace morpheus::detail
