// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/console/console.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace morpheus::ctl {
namespace {

volatile sig_atomic_t interrupted = 0;

void note_signal(int) { interrupted = 1; }

}  // namespace

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw CannotPrint(Error{"cannot write to standard output", errno}.text());
}

void check_output() {
  pollfd output{STDOUT_FILENO, 0, 0};
  if (::poll(&output, 1, 0) <= 0 || (output.revents & POLLERR) == 0) return;
  ::raise(SIGPIPE);
  throw CannotPrint(Error{"cannot write to standard output", EPIPE}.text());
}

void print_json(Json object) {
  object["schema_version"] = kSchemaVersion;
  print(json_text(object) + "\n");
}

ExitStatus complain(const std::string& line, ExitStatus status) {
  std::fprintf(stderr, "morpheusctl: %s\n", line.c_str());
  return status;
}

ExitStatus cannot_connect(const std::string& socket, const Error& error) {
  if (error.code == ENOENT || error.code == ECONNREFUSED)
    return complain("morpheusd is not running at " + socket +
                        "; start it (systemctl start morpheusd) or name its --socket",
                    ExitStatus::not_running);
  if (error.code == EACCES || error.code == EPERM)
    return complain(error.text() + "; run as root or ask for access to the socket",
                    ExitStatus::error);
  return complain(error.text(), ExitStatus::error);
}

ExitStatus call_failed(const varlink::CallError& error) {
  using varlink::CallError;
  const auto reason = [&] {
    const auto it = error.parameters.find("reason");
    return it != error.parameters.end() && it->is_string() ? it->get<std::string>() : error.text();
  };
  if (error.is("org.varlink.service.PermissionDenied"))
    return complain(
        "not permitted; run as root, or join the group that may (attach_group, read_group or "
        "admin_group in the configuration)",
        ExitStatus::error);
  if (error.is("io.morpheus.Control.EnforcedUnavailable"))
    return complain("Enforced mode is not available: " + reason(), ExitStatus::kernel_cannot);
  if (error.is("io.morpheus.Control.InvalidTunables")) return complain(reason(), ExitStatus::usage);
  if (error.is("org.varlink.service.MethodNotFound"))
    return complain(
        "morpheusd has another version and does not know this call; see morpheusctl doctor",
        ExitStatus::error);
  if (error.kind == CallError::Kind::timeout)
    return complain("morpheusd does not respond; see its log (journalctl -u morpheusd)",
                    ExitStatus::error);
  if (error.kind == CallError::Kind::transport)
    return complain("morpheusd has closed the connection; see its log (journalctl -u morpheusd)",
                    ExitStatus::not_running);
  return complain(error.text(), ExitStatus::error);
}

varlink::CallResult control(varlink::Client& client, const char* method, const Json& parameters) {
  return client.call(std::string("io.morpheus.Control.") + method, parameters);
}

ExitStatus show_reply(varlink::Client& client, const Request& request, const char* method,
                      const Json& parameters, const std::function<std::string(const Json&)>& show) {
  auto reply = control(client, method, parameters);
  if (!reply) return call_failed(reply.error());
  if (request.json)
    print_json(std::move(reply->parameters));
  else
    print(show(reply->parameters));
  return ExitStatus::ok;
}

void end_on_signals() {
  struct sigaction action{};
  action.sa_handler = note_signal;  // without SA_RESTART, so that a wait ends at once
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

bool was_interrupted() { return interrupted != 0; }

}  // namespace morpheus::ctl
