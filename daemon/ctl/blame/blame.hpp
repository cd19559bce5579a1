// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl blame: looks for a while at the workers that keep threads waiting, and says where in
// their code they were.
#pragma once

#include "daemon/ctl/console/request.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

[[nodiscard]] ExitStatus show_blame(varlink::Client& client, const Request& request);

}  // namespace morpheus::ctl
