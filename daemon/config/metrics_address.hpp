// SPDX-License-Identifier: GPL-2.0-only
// The address where metrics are served, checked before anything listens there.
#pragma once

#include <cstdint>
#include <string>

#include "proto/result.hpp"

namespace morpheus::daemon {

struct MetricsAddress {
  std::string host;  ///< a numeric loopback address, without brackets
  std::uint16_t port = 0;
};

/// "127.0.0.1:9464", "[::1]:9464"; port 0 takes a free one. Anything but a loopback address is
/// refused with a sentence: other hosts need a proxy that authenticates them. Pure.
[[nodiscard]] Result<MetricsAddress> parse_metrics_address(const std::string& text);

}  // namespace morpheus::daemon
