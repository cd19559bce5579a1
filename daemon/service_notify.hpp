// SPDX-License-Identifier: GPL-2.0-only
// Tells systemd the state of the service (sd_notify(3)): one datagram to $NOTIFY_SOCKET.
#pragma once

#include <string_view>

namespace morpheus::daemon {

/// Sends e.g. "READY=1". Does nothing outside systemd; never fails the caller.
void notify_service_manager(std::string_view state);

/// Whether systemd expects "WATCHDOG=1" from this process (sd_watchdog_enabled(3)). The daemon
/// sends it once a second, so WatchdogSec has to be longer.
[[nodiscard]] bool is_watched();

}  // namespace morpheus::daemon
