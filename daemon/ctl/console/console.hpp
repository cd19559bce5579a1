// SPDX-License-Identifier: GPL-2.0-only
// How morpheusctl speaks: results to stdout, one line about what is wrong to stderr, and a call to
// the daemon whose failure becomes that line and an exit status.
#pragma once

#include <string>

#include "daemon/ctl/console/request.hpp"
#include "proto/json.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

/// Of all JSON that morpheusctl prints. Raised when a reader of the old would misread the new.
inline constexpr int kSchemaVersion = 1;

void print(const std::string& text);
/// One line, with schema_version.
void print_json(Json object);
/// Says it on stderr and returns the status.
ExitStatus complain(const std::string& line, ExitStatus status);

ExitStatus cannot_connect(const std::string& socket, const Error& error);
ExitStatus call_failed(const varlink::CallError& error);

/// Calls io.morpheus.Control.
[[nodiscard]] varlink::CallResult control(varlink::Client& client, const char* method,
                                          const Json& parameters = Json::object());

/// From now on SIGINT, SIGTERM and SIGHUP only make was_interrupted() true: loops end by
/// themselves.
void end_on_signals();
[[nodiscard]] bool was_interrupted();

}  // namespace morpheus::ctl
