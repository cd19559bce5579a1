// SPDX-License-Identifier: GPL-2.0-only
// The process's attachment to morpheusd, for the life of an object.
#pragma once

#include <morpheus/morpheus.h>
#include <morpheus/error.hpp>

namespace morpheus {

/// Attaches the process; one at a time. Must outlive every worker: a process with registered
/// threads stays attached.
///
///     morpheus::attachment attachment;
///     morpheus::worker self;
///     morpheus::safe_point here;
///     while (work()) here.checkpoint();
class attachment {
 public:
  /// See morpheus_attach(). It is no error if there is no daemon. Throws std::system_error.
  explicit attachment(const morpheus_options& options = {}) {
    throw_on_error(morpheus_attach(&options), "attach to morpheusd");
  }
  attachment(const attachment&) = delete;
  attachment& operator=(const attachment&) = delete;
  ~attachment() { morpheus_detach(); }

  /// Whether a daemon watches the workers now. May block for about a second. Any thread.
  [[nodiscard]] static morpheus_status status() noexcept {
    morpheus_status now{};
    morpheus_get_status(&now);
    return now;
  }

  /// System-wide pressure; all 0 without a daemon. Any thread.
  [[nodiscard]] static morpheus_global_pressure pressure() noexcept {
    morpheus_global_pressure now{};
    morpheus_get_pressure(&now);
    return now;
  }
};

}  // namespace morpheus
