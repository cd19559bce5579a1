// SPDX-License-Identifier: GPL-2.0-only
// io.morpheus.Control: what operators call. See the interface file for the contract.
#pragma once

#include "daemon/service/router.hpp"
#include "daemon/state/core.hpp"

namespace morpheus::daemon {

/// Adds the interface to the router; `core` outlives it.
void add_control_service(Router& router, Core& core);

}  // namespace morpheus::daemon
