// SPDX-License-Identifier: GPL-2.0-only
// Which runner the calling thread has: a worker's, one for frames only, or none as yet.
#pragma once

#include <morpheus/detail/runner.hpp>

namespace morpheus::sdk {

class ThisRunner {
 public:
  /// The runner of threads that have had no frame yet. Empty and without room, so it is never
  /// written.
  [[nodiscard]] static detail::runner& none();
  /// Gives the calling thread a runner for frames, for as long as the thread lives.
  static detail::runner& make();
};

}  // namespace morpheus::sdk
