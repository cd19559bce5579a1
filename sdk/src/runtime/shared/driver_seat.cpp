// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/shared/driver_seat.hpp"

#include <sched.h>

namespace morpheus::sdk {

bool DriverSeat::set(detail::driver* driver) {
  detail::driver* expected = nullptr;
  return driver_.compare_exchange_strong(expected, driver, std::memory_order_acq_rel);
}

void DriverSeat::clear() {
  detail::driver* const driver = driver_.exchange(nullptr, std::memory_order_seq_cst);
  while (inside_.load(std::memory_order_seq_cst) != 0) {
    if (driver != nullptr) driver->interrupt();
    (void)::sched_yield();
  }
}

void DriverSeat::interrupt() {
  inside_.fetch_add(1, std::memory_order_seq_cst);  // clear() waits for this thread, too
  if (detail::driver* const entered = driver_.load(std::memory_order_seq_cst)) entered->interrupt();
  inside_.fetch_sub(1, std::memory_order_seq_cst);
}

bool DriverSeat::take(unsigned thread) {
  if (driver() == nullptr) return false;
  unsigned none = kNone;
  if (!thread_.compare_exchange_strong(none, thread, std::memory_order_acq_rel)) return false;
  inside_.fetch_add(1, std::memory_order_seq_cst);
  if (driver_.load(std::memory_order_seq_cst) != nullptr) return true;
  leave(thread);
  return false;
}

void DriverSeat::leave(unsigned thread) {
  inside_.fetch_sub(1, std::memory_order_seq_cst);
  release(thread);
}

void DriverSeat::release(unsigned thread) {
  thread_.compare_exchange_strong(thread, kNone, std::memory_order_acq_rel);
}

}  // namespace morpheus::sdk
