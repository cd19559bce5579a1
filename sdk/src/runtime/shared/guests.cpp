// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/shared/guests.hpp"

#include <mutex>

#include "sdk/src/sync/spin.hpp"

namespace morpheus::sdk {
namespace {

std::mutex& guests_lock() {
  static std::mutex& lock = *new std::mutex;  // guests may be static objects
  return lock;
}

}  // namespace

void Guests::add(detail::driver& guest, detail::lane& home) {
  const std::scoped_lock lock(guests_lock());
  guest.runtime_.store(&owner_, std::memory_order_release);
  guest.lane_.store(&home, std::memory_order_release);
  guest.guests_ = this;
  guests_.push_back(&guest);
}

void Guests::remove(detail::driver& guest) {
  rest(guest);
  const std::scoped_lock lock(guests_lock());
  Guests* const all = guest.guests_;
  if (all == nullptr) return;
  std::erase(all->guests_, &guest);
  if (all->last_driver_ == &guest) all->last_driver_ = nullptr;
  guest.guests_ = nullptr;
  guest.runtime_.store(nullptr, std::memory_order_release);
  guest.lane_.store(nullptr, std::memory_order_release);
}

bool Guests::drive(detail::driver& guest) {
  const std::scoped_lock lock(guests_lock());
  if (guest.guests_ == nullptr || !guest.guests_->seat_.set(&guest)) return false;
  guest.guests_->last_driver_ = &guest;
  return true;
}

/// Without the lock while a handler may still run: it may need it.
void Guests::rest(detail::driver& guest) {
  DriverSeat* seat = nullptr;
  {
    const std::scoped_lock lock(guests_lock());
    if (guest.guests_ != nullptr) seat = &guest.guests_->seat_;
  }
  if (seat != nullptr && seat->driver() == &guest) seat->clear();
}

bool Guests::drive_again() {
  const std::scoped_lock lock(guests_lock());
  if (seat_.driver() != nullptr) return true;
  return last_driver_ != nullptr && seat_.set(last_driver_);
}

void Guests::end() {
  while (true) {
    detail::driver* guest = nullptr;
    {
      const std::scoped_lock lock(guests_lock());
      if (guests_.empty()) return;
      guest = guests_.back();
      guests_.pop_back();
      guest->guests_ = nullptr;
      guest->runtime_.store(nullptr, std::memory_order_release);
      guest->lane_.store(nullptr, std::memory_order_seq_cst);
      spin_until([&] { return guest->posting_.load(std::memory_order_seq_cst) == 0; });
    }
  }
}

}  // namespace morpheus::sdk
