// SPDX-License-Identifier: GPL-2.0-only
// The drivers that know a runtime: one of them may be in its seat. A driver and a runtime end
// independently, so a lock of the process guards what they know of each other.
#pragma once

#include <morpheus/detail/driver.hpp>

#include <vector>

#include "sdk/src/runtime/shared/driver_seat.hpp"

namespace morpheus::sdk {

/// Any thread.
class Guests {
 public:
  Guests(runtime& owner, DriverSeat& seat) : owner_(owner), seat_(seat) {}

  void add(detail::driver& guest, detail::lane& home);
  static void remove(detail::driver& guest);
  /// False: the runtime has another driver, or has ended.
  [[nodiscard]] static bool drive(detail::driver& guest);
  static void rest(detail::driver& guest);

  /// The runtime ends. Its tasks may still wait for events: if it has no driver, the last one gets
  /// back into the seat. True: it has a driver.
  [[nodiscard]] bool drive_again();
  /// No guest knows the runtime any more, or uses it.
  void end();

 private:
  runtime& owner_;
  DriverSeat& seat_;
  std::vector<detail::driver*> guests_;
  detail::driver* last_driver_ = nullptr;  // one of them
};

}  // namespace morpheus::sdk
