// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl report: looks for a while at everything, and writes a page for a browser.
#pragma once

#include "daemon/ctl/console/request.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

[[nodiscard]] ExitStatus write_report(varlink::Client& client, const Request& request);

}  // namespace morpheus::ctl
