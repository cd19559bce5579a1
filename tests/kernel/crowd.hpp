// SPDX-License-Identifier: GPL-2.0-only
// The threads that share one CPU in most kernel tests, and the witness that watches them.
#pragma once

#include <vector>

#include "tests/programs/daemon_process.hpp"
#include "tests/programs/load.hpp"
#include "tests/witness/witness.hpp"

namespace morpheus::test {

inline constexpr ThreadSpec kWorker{.manner = Manner::cooperative};
inline constexpr ThreadSpec kConsentingWorker{.manner = Manner::cooperative, .escapable = true};
/// Consents to be kicked.
inline constexpr ThreadSpec kDeaf{.manner = Manner::deaf, .escapable = true};
inline constexpr ThreadSpec kSleeper{.manner = Manner::sleeper};
inline constexpr ThreadSpec kRival{.manner = Manner::rival};

/// A load on the crowded CPU, whose workers attach to this daemon.
class Crowd : public Load {
 public:
  Crowd(const DaemonProcess& daemon, std::vector<ThreadSpec> threads, Witness* witness = nullptr);
};

/// The witness of this process: started by the first call, which fails the test where it cannot be.
[[nodiscard]] Witness& witness();

}  // namespace morpheus::test
