// SPDX-License-Identifier: GPL-2.0-only
// Telling systemd how the service does (sd_notify(3)): one datagram to $NOTIFY_SOCKET.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace morpheus::daemon {

/// Sends e.g. "READY=1". Does nothing outside systemd; never fails the caller.
void notify_service_manager(std::string_view state);

/// How often systemd wants to hear "WATCHDOG=1": half of WATCHDOG_USEC if it is meant for us.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace morpheus::daemon
