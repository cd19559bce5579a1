// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl status and mode: what the daemon does, and which mode is in force.
#pragma once

#include "daemon/ctl/console/request.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

/// These two end with ExitStatus::degraded if the chosen mode is not in force.
[[nodiscard]] ExitStatus show_status(varlink::Client& client, const Request& request);
[[nodiscard]] ExitStatus show_mode(varlink::Client& client, const Request& request);

[[nodiscard]] ExitStatus show_last_exit(varlink::Client& client, const Request& request);

/// Sets the mode and checks that it stays in force.
[[nodiscard]] ExitStatus change_mode(varlink::Client& client, const Request& request);

}  // namespace morpheus::ctl
