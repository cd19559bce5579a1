// SPDX-License-Identifier: GPL-2.0-only
// The real kernel side: loads the BPF object, attaches its observer half, and on request its
// sched_ext half.
#pragma once

#include <memory>

#include "daemon/kernel/kernel_side.hpp"

namespace morpheus::daemon {

/// Never fails by itself; start() does. One per process.
[[nodiscard]] std::unique_ptr<KernelSide> make_bpf_kernel(Scope scope);

}  // namespace morpheus::daemon
