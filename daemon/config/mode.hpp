// SPDX-License-Identifier: GPL-2.0-only
// What an operator chooses: whether the scheduler runs, and which threads it schedules.
#pragma once

#include <cstdint>

#include "proto/scb.h"

namespace morpheus::daemon {

enum class Mode : std::uint8_t { observer = MORPHEUS_OBSERVER_ONLY, enforced = MORPHEUS_ENFORCED };

/// Which threads Enforced mode schedules. Fixed at start, because the kernel needs to know when the
/// scheduler is loaded.
enum class Scope : std::uint8_t {
  all,     ///< every thread without a real-time policy
  workers  ///< workers only; all others stay with the kernel's own class, which goes before ours
};

}  // namespace morpheus::daemon
