// SPDX-License-Identifier: GPL-2.0-only
// Why morpheusctl ended. Scripts rely on these values.
#pragma once

namespace morpheus::ctl {

enum class ExitStatus : int {
  ok = 0,
  error = 1,
  usage = 2,
  not_running = 3,
  degraded = 4,  ///< Enforced was chosen and is not in force
  kernel_cannot = 77,
};

}  // namespace morpheus::ctl
