// SPDX-License-Identifier: GPL-2.0-only
// Taking over a configuration that was read again while the daemon runs.
#pragma once

#include "daemon/config/config.hpp"
#include "daemon/state/core.hpp"

namespace morpheus::daemon {

/// Makes `fresh` the configuration: `config` is what all parts of the daemon look at. Rights,
/// limits, canary and log level hold from now on; connections and workers beyond a lower limit
/// stay. Mode and tunables change only where the file has changed, so that what an operator set
/// meanwhile stays. What needs a restart is named in the log.
void adopt(Config& config, Config fresh, Core& core);

/// Looks up who may do what, and tells which groups do not exist.
[[nodiscard]] AccessRules access_rules(const Config& config);

}  // namespace morpheus::daemon
