// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl tunables: shows the scheduler's times and changes them.
#pragma once

#include <string>

#include "daemon/ctl/console/request.hpp"
#include "proto/json.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

[[nodiscard]] ExitStatus show_tunables(varlink::Client& client, const Request& request);
[[nodiscard]] ExitStatus set_tunables(varlink::Client& client, const Request& request);

/// Adds "slice=5ms" to `into` as {"slice_ns": 5000000}. Units are ns, us, ms and s; without a unit
/// the value is in nanoseconds. False if `text` is no assignment. Pure.
[[nodiscard]] bool parse_assignment(const std::string& text, Json& into);

}  // namespace morpheus::ctl
