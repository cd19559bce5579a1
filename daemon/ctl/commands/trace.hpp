// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl trace: records the event stream for a while and writes it as a trace.
#pragma once

#include "daemon/ctl/console/request.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

/// The file appears whole or not at all.
[[nodiscard]] ExitStatus record_trace(varlink::Client& client, const Request& request);

}  // namespace morpheus::ctl
