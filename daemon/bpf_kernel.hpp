// SPDX-License-Identifier: GPL-2.0-only
// The real kernel side.
#pragma once

#include <memory>

#include "daemon/kernel_side.hpp"

namespace morpheus::daemon {

/// Loads nothing yet: start() does.
[[nodiscard]] std::unique_ptr<KernelSide> make_bpf_kernel();

}  // namespace morpheus::daemon
