// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/kernel_side.hpp"

namespace morpheus::daemon {

std::string to_text(const SchedulerExit& exit) {
  return exit.message.empty() ? exit.reason : exit.reason + ": " + exit.message;
}

}  // namespace morpheus::daemon
