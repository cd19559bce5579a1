// SPDX-License-Identifier: GPL-2.0-only
// io.morpheus.Worker: what applications call. See the interface file for the contract.
#pragma once

#include "daemon/core.hpp"
#include "daemon/router.hpp"

namespace morpheus::daemon {

/// Adds the interface to the router; `core` outlives it.
void add_worker_service(Router& router, Core& core);

}  // namespace morpheus::daemon
