// SPDX-License-Identifier: GPL-2.0-only
// What morpheusctl does once its command line is understood.
#pragma once

#include <string>

#include "daemon/ctl/console/request.hpp"
#include "proto/json.hpp"

namespace morpheus::ctl {

/// Carries the request out, writing to stdout and, one line, to stderr.
[[nodiscard]] ExitStatus run(const Request& request);

/// "slice=5ms" -> {"slice_ns": 5000000}; units ns, us, ms, s; without a unit nanoseconds. Nothing
/// if it is no assignment. Pure.
[[nodiscard]] bool parse_assignment(const std::string& text, Json& into);

}  // namespace morpheus::ctl
