// SPDX-License-Identifier: GPL-2.0-only
// The driver of a runtime, and the thread that is in it. One thread at a time waits in the driver
// or polls it, unless that thread is held up.
#pragma once

#include <morpheus/detail/driver.hpp>

#include <atomic>

namespace morpheus::sdk {

/// Any thread. Threads are named by their index in the runtime.
class DriverSeat {
 public:
  /// What threads wait in instead of sleeping; null: none.
  [[nodiscard]] detail::driver* driver() const { return driver_.load(std::memory_order_acquire); }
  /// False: there is one already.
  [[nodiscard]] bool set(detail::driver* driver);
  /// Takes the driver away; returns when no thread is in it.
  void clear();

  /// Ends a wait in the driver, if there is one.
  void interrupt();
  /// Whether there is a driver with no thread in it.
  [[nodiscard]] bool is_free() const {
    return driver() != nullptr && thread_.load(std::memory_order_relaxed) == kNone;
  }
  /// True: the thread may wait in the driver or poll it, until it leaves.
  [[nodiscard]] bool take(unsigned thread);
  void leave(unsigned thread);
  /// If the thread is in the driver, it is held up there: another one may take the seat.
  void release(unsigned thread);

 private:
  static constexpr unsigned kNone = ~0U;

  std::atomic<detail::driver*> driver_{nullptr};
  std::atomic<unsigned> thread_{kNone};
  std::atomic<unsigned> inside_{0};  // threads that use it, those that were held up included
};

}  // namespace morpheus::sdk
