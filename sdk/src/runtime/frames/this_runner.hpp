// SPDX-License-Identifier: GPL-2.0-only
// The calling thread's runner: that of a runtime's thread, one for frames only, or none yet.
#pragma once

#include <morpheus/detail/runner.hpp>

namespace morpheus::sdk {

class ThisRunner {
 public:
  /// The runner of threads that have had no frame yet. It is empty and has no room, so it is never
  /// written to.
  [[nodiscard]] static detail::runner& none();
  /// Gives the calling thread a runner for frames, for as long as the thread lives.
  static detail::runner& make();
};

}  // namespace morpheus::sdk
