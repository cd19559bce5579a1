// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl top: looks at the daemon again and again, and draws each picture: on a terminal in
// place, elsewhere one after the other.
#pragma once

#include "daemon/ctl/console/request.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

[[nodiscard]] ExitStatus show_top(varlink::Client& client, const Request& request);

}  // namespace morpheus::ctl
