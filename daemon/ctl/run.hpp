// SPDX-License-Identifier: GPL-2.0-only
// Carries out what the command line asks for.
#pragma once

#include "daemon/ctl/console/request.hpp"

namespace morpheus::ctl {

/// Writes results to stdout, and at most one line about a failure to stderr.
[[nodiscard]] ExitStatus run(const Request& request);

}  // namespace morpheus::ctl
