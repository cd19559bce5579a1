// SPDX-License-Identifier: GPL-2.0-only
// Input and output of all commands: results to stdout, one line about a failure to stderr, and
// calls to the daemon, whose failure becomes that line and an exit status.
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

#include "daemon/ctl/console/request.hpp"
#include "proto/json.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

/// Of all JSON that morpheusctl prints; raised when a reader of the old form would misread the new.
inline constexpr int kSchemaVersion = 1;

/// Standard output takes no more: the disk is full, a device fails.
struct CannotPrint : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws CannotPrint, so that no result is lost under exit status 0.
void print(const std::string& text);
/// Where nothing is printed for long: ends as print() would if the reader of a pipe is gone.
void check_output();
/// One line, with schema_version.
void print_json(Json object);
/// Prints the line on stderr and returns the status.
ExitStatus complain(const std::string& line, ExitStatus status);

ExitStatus cannot_connect(const std::string& socket, const Error& error);
ExitStatus call_failed(const varlink::CallError& error);

/// Calls io.morpheus.Control.
[[nodiscard]] varlink::CallResult control(varlink::Client& client, const char* method,
                                          const Json& parameters = Json::object());

/// Calls, and prints the reply: as JSON if the request wants it, else as `show` renders it.
[[nodiscard]] ExitStatus show_reply(varlink::Client& client, const Request& request,
                                    const char* method, const Json& parameters,
                                    const std::function<std::string(const Json&)>& show);

/// From now on SIGINT, SIGTERM and SIGHUP only make was_interrupted() true: loops end by
/// themselves.
void end_on_signals();
[[nodiscard]] bool was_interrupted();
/// How long a loop may wait before it looks at was_interrupted() again.
inline constexpr std::chrono::milliseconds kSignalWait{200};

}  // namespace morpheus::ctl
