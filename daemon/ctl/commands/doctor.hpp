// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl doctor: shows the diagnosis of this host and its daemon.
#pragma once

#include <string>
#include <vector>

#include "daemon/ctl/commands/diagnosis.hpp"
#include "daemon/ctl/console/render.hpp"
#include "daemon/ctl/console/request.hpp"
#include "proto/json.hpp"

namespace morpheus::ctl {

[[nodiscard]] std::string render_findings(const std::vector<Finding>& findings,
                                          const Palette& palette);
[[nodiscard]] Json to_json(const std::vector<Finding>& findings);

/// `client` may have failed: the lines about the daemon then say so.
[[nodiscard]] ExitStatus examine_host(Result<varlink::Client>& client, const Request& request);

}  // namespace morpheus::ctl
