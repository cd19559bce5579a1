// SPDX-License-Identifier: GPL-2.0-only
// The whole daemon: kernel side, core, services, socket, and the loop that runs them.
#pragma once

#include "daemon/options.hpp"

namespace morpheus::daemon {

/// Runs until SIGTERM or SIGINT, then stops cleanly; SIGHUP reads the configuration again. Throws
/// StartError if it cannot start.
void run(const Options& options);

}  // namespace morpheus::daemon
