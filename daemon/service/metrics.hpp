// SPDX-License-Identifier: GPL-2.0-only
// The daemon's state as metrics, in the two text formats that Prometheus reads. The label sets are
// bounded: only enums of proto/, never a process, a thread or a name that a client chose.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/state/core.hpp"

namespace morpheus::daemon {

enum class Exposition : std::uint8_t {
  openmetrics,  ///< OpenMetrics 1.0
  prometheus,   ///< Prometheus' text format 0.0.4, the default
};

/// The value of HTTP's Content-Type.
[[nodiscard]] const char* content_type(Exposition format);

/// All metrics, each with HELP and TYPE; durations in seconds. First brings the counts up to date.
[[nodiscard]] std::string metrics_text(Core& core, Exposition format);

}  // namespace morpheus::daemon
