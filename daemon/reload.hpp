// SPDX-License-Identifier: GPL-2.0-only
// Applies a configuration that was read again while the daemon runs.
#pragma once

#include "daemon/config/config.hpp"
#include "daemon/state/core.hpp"

namespace morpheus::daemon {

/// Replaces `config`, which all parts of the daemon read. Rights, limits, throttle, canary and log
/// level hold from now on; connections and workers beyond a lower limit stay. Mode and tunables
/// change only where the file has changed, so what an operator set meanwhile stays. The log names
/// what needs a restart.
void apply_config(Config& config, Config fresh, Core& core);

/// Looks up the groups that have rights, and logs those that do not exist.
[[nodiscard]] AccessRules access_rules(const Config& config);

}  // namespace morpheus::daemon
