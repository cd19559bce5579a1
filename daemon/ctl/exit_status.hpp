// SPDX-License-Identifier: GPL-2.0-only
// Why morpheusctl ends. Scripts rely on these.
#pragma once

namespace morpheus::ctl {

enum class ExitStatus : int {
  ok = 0,
  error = 1,
  usage = 2,
  not_running = 3,
  degraded = 4,  ///< Enforced was chosen but is not in force: the kernel ejected the scheduler
  refused = 77,  ///< not permitted, or the kernel cannot do it
};

}  // namespace morpheus::ctl
