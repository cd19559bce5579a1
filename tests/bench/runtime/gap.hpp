// SPDX-License-Identifier: GPL-2.0-only
// Messages so far apart that the thread that waits for them sleeps.
#pragma once

#include <time.h>

#include "lateness.hpp"

namespace bench {

inline constexpr std::chrono::microseconds kGap{200};

/// When each message was sent.
using Sent = std::vector<Clock::time_point>;

/// Keeps the sender's CPU busy until the next message is due, so that only the receiver's CPU has
/// to wake up.
inline void spin_for_gap() {
  for (const auto end = Clock::now() + kGap; Clock::now() < end;) {
  }
}

/// Lets the caller's thread sleep in the kernel, whatever runtime it belongs to.
inline void sleep_for_gap() {
  const timespec gap{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(5 * kGap).count()};
  nanosleep(&gap, nullptr);
}

/// Sleeps until `done()`, which a loaded machine may let wait for long; ends the program if it
/// never is.
template <class Condition>
void sleep_until_done(Condition done) {
  for (int i = 0; i < 10'000; ++i, sleep_for_gap())
    if (done()) return;
  std::abort();
}

}  // namespace bench
