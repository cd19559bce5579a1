// SPDX-License-Identifier: GPL-2.0-only
// Loads run as users do.
#pragma once

#include <grp.h>
#include <unistd.h>

namespace morpheus::bench {

/// Makes this process user nobody's if it is root's. Returns whether it is not root's now; the
/// parent-death signal is cleared by it.
[[nodiscard]] inline bool give_up_root() {
  constexpr uid_t kNobody = 65534;
  return ::geteuid() != 0 ||
         (::setgroups(0, nullptr) == 0 && ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0);
}

}  // namespace morpheus::bench
