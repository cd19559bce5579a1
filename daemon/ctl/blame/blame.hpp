// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl blame: looks for a while at the workers that keep threads waiting, and says where in
// their code they were.
#pragma once

#include <functional>

#include "daemon/ctl/console/request.hpp"
#include "proto/json.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

/// Hands on the replies of io.morpheus.Control.Blame until the time is over or the operator
/// interrupts. Returns for how many seconds it was looked.
[[nodiscard]] tl::expected<double, varlink::CallError> collect_blame(
    varlink::Client& client, double seconds, const std::function<void(const Json&)>& add);

[[nodiscard]] ExitStatus show_blame(varlink::Client& client, const Request& request);

}  // namespace morpheus::ctl
