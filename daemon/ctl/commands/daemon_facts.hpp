// SPDX-License-Identifier: GPL-2.0-only
// What the daemon reports about itself, for a diagnosis.
#pragma once

#include <string>

#include "proto/json.hpp"
#include "proto/result.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

/// The replies are empty objects if the daemon does not run.
struct DaemonFacts {
  bool runs = false;
  std::string why_not;  ///< why it cannot be reached
  Json status, clients;
};

/// `client` may have failed: the daemon then does not run.
[[nodiscard]] DaemonFacts ask_daemon(Result<varlink::Client>& client, const std::string& socket);

}  // namespace morpheus::ctl
