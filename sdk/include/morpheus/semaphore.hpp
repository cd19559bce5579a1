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
/// release() on any thread. Must outlive the waits.
class semaphore : detail::wait_queue {
 public:
  explicit semaphore(std::size_t permits) noexcept : permits_(permits) {}

  [[nodiscard]] bool try_acquire() noexcept {
    const std::scoped_lock guard(lock);
    return take();
  }
  void release(std::size_t permits = 1) noexcept {
    detail::released_waiters served;
    {
      const std::scoped_lock guard(lock);
      for (; permits > 0; --permits) {
        detail::waiter* const next = pop();
        if (next == nullptr) break;
        served.add(*next);
      }
      permits_ += permits;
    }
    served.resume();
  }

  class [[nodiscard]] acquire_awaiter : public detail::waits<acquire_awaiter> {
   public:
    explicit acquire_awaiter(semaphore& source) noexcept : waits(source) {}
    [[nodiscard]] bool take_locked(detail::waiter*&) const noexcept {
      return static_cast<semaphore*>(queue)->take();
    }
    static void result() noexcept {}
  };

  [[nodiscard]] acquire_awaiter acquire() noexcept { return acquire_awaiter(*this); }
  /// A stop request of `stop` ends the wait, too.
  [[nodiscard]] detail::stoppable<acquire_awaiter> acquire(std::stop_token stop) {
    return detail::stoppable<acquire_awaiter>(std::move(stop), *this);
  }

 private:
  friend class mutex;

  // Under the lock. There are permits only while no task waits.
  [[nodiscard]] bool take() noexcept {
    if (permits_ == 0) return false;
    --permits_;
    return true;
  }

  std::size_t permits_;
};

}  // namespace morpheus
