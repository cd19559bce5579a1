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
    guard(guard&& other) noexcept : owned_(std::exchange(other.owned_, nullptr)) {}
    guard& operator=(guard&& other) noexcept {
      std::swap(owned_, other.owned_);
      return *this;
    }
    ~guard() { unlock(); }

    /// Whether it owns a mutex.
    [[nodiscard]] explicit operator bool() const noexcept { return owned_ != nullptr; }
    /// Gives up what it owns before its end.
    void unlock() noexcept {
      if (mutex* const owned = std::exchange(owned_, nullptr)) owned->release();
    }

   private:
    friend mutex;
    explicit guard(mutex& owned) noexcept : owned_(&owned) {}
    mutex* owned_ = nullptr;
  };

  class [[nodiscard]] lock_awaiter : public detail::waits<lock_awaiter> {
   public:
    static constexpr bool kMustUse = true;
    explicit lock_awaiter(mutex& source) noexcept : waits(source) {}
    [[nodiscard]] bool take_locked(detail::waiter*&) const noexcept { return owner().take(); }
    [[nodiscard]] guard result() const noexcept { return guard(owner()); }

   private:
    [[nodiscard]] mutex& owner() const noexcept { return *static_cast<mutex*>(queue); }
  };

  /// The guard owns nothing if another task owns the mutex.
  [[nodiscard]] guard try_lock() noexcept { return try_acquire() ? guard(*this) : guard(); }
  [[nodiscard]] lock_awaiter lock() noexcept { return lock_awaiter(*this); }
  /// A stop request of `stop` ends the wait, too.
  [[nodiscard]] detail::stoppable<lock_awaiter> lock(std::stop_token stop) {
    return detail::stoppable<lock_awaiter>(std::move(stop), *this);
  }
};

}  // namespace morpheus
