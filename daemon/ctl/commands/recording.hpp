// SPDX-License-Identifier: GPL-2.0-only
// Records the daemon's events for some seconds.
#pragma once

#include <cstdint>
#include <functional>

#include "daemon/ctl/commands/trace_builder.hpp"
#include "proto/result.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

/// Names all workers. Needs a connection of its own: after a subscription the daemon accepts no
/// other call there.
void introduce_all(varlink::Client& asking, TraceBuilder& trace);

/// Runs until all events of these seconds have arrived (the daemon delivers them late), the
/// operator interrupts, or `goes_on`, which is called now and then, says no. Returns how many
/// events were lost.
[[nodiscard]] tl::expected<std::uint64_t, varlink::CallError> record_events(
    varlink::Client& stream, varlink::Client& asking, TraceBuilder& trace, double seconds,
    const std::function<bool()>& goes_on);

}  // namespace morpheus::ctl
