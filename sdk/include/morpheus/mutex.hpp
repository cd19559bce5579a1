// SPDX-License-Identifier: GPL-2.0-only
// A mutex that tasks wait for without holding up their thread.
#pragma once

#include <morpheus/semaphore.hpp>

#include <mutex>
#include <stop_token>
#include <utility>

namespace morpheus {

/// `auto guard = co_await mutex.lock()` owns it until the guard is destroyed, on any thread. Tasks
/// get it in the order of their requests. May be held across awaits; never recursive. Must outlive
/// the tasks that wait.
class mutex {
 public:
  using guard = std::unique_lock<mutex>;

  [[nodiscard]] bool try_lock() noexcept { return free_.try_acquire(); }
  void unlock() noexcept { free_.release(); }

 private:
  template <class A>
  class [[nodiscard]] locked : public A {
   public:
    template <class... Args>
    explicit locked(mutex& owner, Args&&... args) : A(std::forward<Args>(args)...), owner_(owner) {}
    [[nodiscard]] guard await_resume() {
      A::await_resume();
      return guard(owner_, std::adopt_lock);
    }

   private:
    mutex& owner_;
  };

 public:
  using lock_awaiter = locked<semaphore::acquire_awaiter>;
  using stoppable_lock_awaiter = locked<detail::stoppable<semaphore::acquire_awaiter>>;

  [[nodiscard]] lock_awaiter lock() noexcept { return lock_awaiter(*this, free_); }
  /// Throws `cancelled` if asked to stop first.
  [[nodiscard]] stoppable_lock_awaiter lock(std::stop_token stop) {
    return stoppable_lock_awaiter(*this, std::move(stop), free_);
  }

 private:
  semaphore free_{1};
};

}  // namespace morpheus
