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
/// `auto permit = co_await semaphore.acquire_permit()` takes one that goes back by itself.
/// release() and try_...() on any thread. Must outlive the waits and the permits.
class semaphore : detail::wait_queue {
 public:
  /// Has a permit of a semaphore, or none; gives it back at its end. Movable; one thread at a time.
  class [[nodiscard]] permit {
   public:
    permit() noexcept = default;
    permit(permit&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    permit& operator=(permit&& other) noexcept {
      std::swap(of_, other.of_);
      return *this;
    }
    ~permit() { release(); }

    /// Whether it has one.
    [[nodiscard]] explicit operator bool() const noexcept { return of_ != nullptr; }
    /// Gives back what it has before its end.
    void release() noexcept {
      if (semaphore* const of = std::exchange(of_, nullptr)) of->release();
    }

   private:
    friend semaphore;
    explicit permit(semaphore& of) noexcept : of_(&of) {}
    semaphore* of_ = nullptr;
  };

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
  /// Gives an `Owner`, made of a permit.
  template <class Owner>
  class [[nodiscard]] owner_awaiter : public detail::waits<owner_awaiter<Owner>> {
   public:
    static constexpr bool kMustUse = true;
    explicit owner_awaiter(semaphore& source) noexcept
        : detail::waits<owner_awaiter<Owner>>(source) {}
    [[nodiscard]] bool take_locked(detail::waiter*&) const noexcept { return of().take(); }
    [[nodiscard]] Owner result() const noexcept { return Owner(permit(of())); }

   private:
    [[nodiscard]] semaphore& of() const noexcept { return *static_cast<semaphore*>(this->queue); }
  };
  using permit_awaiter = owner_awaiter<permit>;

  [[nodiscard]] acquire_awaiter acquire() noexcept { return acquire_awaiter(*this); }
  /// A stop request of `stop` ends the wait, too.
  [[nodiscard]] detail::stoppable<acquire_awaiter> acquire(std::stop_token stop) {
    return detail::stoppable<acquire_awaiter>(std::move(stop), *this);
  }

  /// Has nothing if there is no permit.
  [[nodiscard]] permit try_acquire_permit() noexcept {
    return try_acquire() ? permit(*this) : permit();
  }
  [[nodiscard]] permit_awaiter acquire_permit() noexcept { return permit_awaiter(*this); }
  /// A stop request of `stop` ends the wait, too.
  [[nodiscard]] detail::stoppable<permit_awaiter> acquire_permit(std::stop_token stop) {
    return detail::stoppable<permit_awaiter>(std::move(stop), *this);
  }

 private:
  // Under the lock. There are permits only while no task waits.
  [[nodiscard]] bool take() noexcept {
    if (permits_ == 0) return false;
    --permits_;
    return true;
  }

  std::size_t permits_;
};

}  // namespace morpheus
