// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl dump: everything for a bug report, as one JSON object.
#pragma once

#include "daemon/ctl/console/request.hpp"
#include "proto/result.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

/// `client` may have failed: the dump then holds the facts of the host alone.
[[nodiscard]] ExitStatus write_dump(Result<varlink::Client>& client, const Request& request);

}  // namespace morpheus::ctl
