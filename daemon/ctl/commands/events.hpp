// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl events: prints hints, acknowledgements and escalations as they happen.
#pragma once

#include "daemon/ctl/console/request.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

[[nodiscard]] ExitStatus stream_events(varlink::Client& client, const Request& request);

}  // namespace morpheus::ctl
