// SPDX-License-Identifier: GPL-2.0-only
// The worker lifecycle: which transitions a client may ask for.
#pragma once

#include "proto/scb.h"

namespace morpheus::daemon {

/// INIT -> REGISTERED -> RUNNING <-> QUIESCING -> DEAD, and nothing else. Pure.
[[nodiscard]] constexpr bool transition_allowed(morpheus_worker_state from,
                                                morpheus_worker_state to) {
  switch (from) {
    case MORPHEUS_WORKER_INIT:
      return to == MORPHEUS_WORKER_REGISTERED;
    case MORPHEUS_WORKER_REGISTERED:
      return to == MORPHEUS_WORKER_RUNNING;
    case MORPHEUS_WORKER_RUNNING:
      return to == MORPHEUS_WORKER_QUIESCING;
    case MORPHEUS_WORKER_QUIESCING:
      return to == MORPHEUS_WORKER_RUNNING || to == MORPHEUS_WORKER_DEAD;
    default:
      return false;
  }
}

}  // namespace morpheus::daemon
