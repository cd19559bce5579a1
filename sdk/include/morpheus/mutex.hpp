// SPDX-License-Identifier: GPL-2.0-only
// A mutex that tasks wait for without holding up their thread.
#pragma once

#include <morpheus/semaphore.hpp>

#include <stop_token>
#include <utility>

namespace morpheus {

/// `auto guard = co_await mutex.lock()` owns it until the guard is destroyed, on any thread. Tasks
/// get it in the order of their requests. May be held across awaits; never recursive. Must outlive
/// the waits and the guards. The guards of the standard library do not compile with it: they would
/// not wait.
class mutex : semaphore {
 public:
  mutex() noexcept : semaphore(1) {}

  /// Owns a mutex, or nothing. Movable; one thread at a time.
  class [[nodiscard]] guard {
   public:
    guard() noexcept = default;
    /// For the mutex.
    explicit guard(permit owned) noexcept : owned_(std::move(owned)) {}

    /// Whether it owns a mutex.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(owned_); }
    /// Gives up what it owns before its end.
    void unlock() noexcept { owned_.release(); }

   private:
    permit owned_;
  };
  using lock_awaiter = owner_awaiter<guard>;

  /// The guard owns nothing if another task owns the mutex.
  [[nodiscard]] guard try_lock() noexcept { return guard(try_acquire_permit()); }
  [[nodiscard]] lock_awaiter lock() noexcept { return lock_awaiter(*this); }
  /// A stop request of `stop` ends the wait, too.
  [[nodiscard]] detail::stoppable<lock_awaiter> lock(std::stop_token stop) {
    return detail::stoppable<lock_awaiter>(std::move(stop), static_cast<semaphore&>(*this));
  }
};

}  // namespace morpheus
