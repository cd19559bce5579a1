// SPDX-License-Identifier: GPL-2.0-only
// A semaphore that tasks wait for.
#pragma once

#include <morpheus/detail/wait_queue.hpp>

#include <cstddef>
#include <mutex>
#include <stop_token>
#include <utility>

namespace morpheus {

/// Holds permits. `co_await semaphore.acquire()` takes one; tasks that wait are served in order.
/// release() on any thread. Must outlive the tasks that wait.
class semaphore {
 public:
  explicit semaphore(std::size_t permits) noexcept : permits_(permits) {}

  [[nodiscard]] bool try_acquire() noexcept {
    const std::scoped_lock lock(queue_.lock);
    return take();
  }
  void release(std::size_t permits = 1) noexcept {
    detail::released_waiters served;
    {
      const std::scoped_lock lock(queue_.lock);
      for (; permits > 0 && !queue_.empty(); --permits) served.add(*queue_.pop());
      permits_ += permits;
    }
    served.resume();
  }

  class [[nodiscard]] acquire_awaiter : public detail::waits<acquire_awaiter> {
   public:
    explicit acquire_awaiter(semaphore& source) noexcept : semaphore_(source) {}
    static void await_resume() noexcept {}
    [[nodiscard]] bool take_locked(detail::waiter*&) const noexcept { return semaphore_.take(); }
    [[nodiscard]] detail::wait_queue& queue() const noexcept { return semaphore_.queue_; }

   private:
    semaphore& semaphore_;
  };

  [[nodiscard]] acquire_awaiter acquire() noexcept { return acquire_awaiter(*this); }
  /// Throws `cancelled` if asked to stop first.
  [[nodiscard]] detail::stoppable<acquire_awaiter> acquire(std::stop_token stop) {
    return detail::stoppable<acquire_awaiter>(std::move(stop), *this);
  }

 private:
  // Under the lock. There are permits only while no task waits.
  [[nodiscard]] bool take() noexcept {
    if (permits_ == 0) return false;
    --permits_;
    return true;
  }

  std::size_t permits_;
  detail::wait_queue queue_;
};

}  // namespace morpheus
