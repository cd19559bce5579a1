// SPDX-License-Identifier: GPL-2.0-only
// An event that tasks wait for.
#pragma once

#include <morpheus/detail/wait_queue.hpp>

#include <atomic>
#include <mutex>
#include <stop_token>
#include <utility>

namespace morpheus {

/// Is set or not; `co_await event` (or event.wait()) waits until it is. set(), reset() and is_set()
/// on any thread. What happened before set() is seen after the wait. May be destroyed once every
/// wait has ended: set() does not touch it after it has resumed the tasks.
class event : detail::wait_queue {
 public:
  explicit event(bool is_set = false) noexcept : is_set_(is_set) {}

  [[nodiscard]] bool is_set() const noexcept { return is_set_.load(std::memory_order_acquire); }
  void reset() noexcept { is_set_.store(false, std::memory_order_relaxed); }
  /// Resumes all tasks that wait, in the order in which they came.
  void set() noexcept {
    detail::released_waiters waiting;
    {
      const std::scoped_lock guard(lock);
      is_set_.store(true, std::memory_order_release);
      waiting = pop_all();
    }
    waiting.resume();
  }

  class [[nodiscard]] wait_awaiter : public detail::waits<wait_awaiter> {
   public:
    explicit wait_awaiter(event& source) noexcept : waits(source) {}
    [[nodiscard]] bool take_locked(detail::waiter*&) const noexcept {
      return static_cast<event*>(queue)->is_set();
    }
    static void result() noexcept {}
  };

  [[nodiscard]] wait_awaiter operator co_await() noexcept { return wait_awaiter(*this); }
  [[nodiscard]] wait_awaiter wait() noexcept { return wait_awaiter(*this); }
  /// A stop request of `stop` ends the wait, too.
  [[nodiscard]] detail::stoppable<wait_awaiter> wait(std::stop_token stop) {
    return detail::stoppable<wait_awaiter>(std::move(stop), *this);
  }

 private:
  std::atomic<bool> is_set_;
};

}  // namespace morpheus
