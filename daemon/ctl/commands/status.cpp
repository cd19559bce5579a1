// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/status.hpp"

#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/console/render.hpp"
#include "daemon/ctl/console/reply.hpp"
#include "daemon/ctl/console/wall_clock.hpp"

namespace morpheus::ctl {
namespace {

ExitStatus status_of(const Json& status) {
  return is_degraded(status) ? ExitStatus::degraded : ExitStatus::ok;
}

}  // namespace

ExitStatus show_status(varlink::Client& client, const Request& request) {
  auto reply = control(client, "GetStatus");
  if (!reply) return call_failed(reply.error());
  const auto result = status_of(reply->parameters);
  if (request.json)
    print_json(std::move(reply->parameters));
  else
    print(render_status(reply->parameters, Palette{request.colour}));
  return result;
}

ExitStatus show_last_exit(varlink::Client& client, const Request& request) {
  auto reply = control(client, "GetLastExit");
  if (!reply) return call_failed(reply.error());
  Json& exit = reply->parameters;
  if (const auto then = number(exit, "time_ns"); then != 0)
    exit["realtime_ns"] = WallClock().realtime_ns(then);
  if (request.json)
    print_json(std::move(exit));
  else
    print(render_last_exit(exit, monotonic_ns()));
  return ExitStatus::ok;
}

ExitStatus show_mode(varlink::Client& client, const Request& request) {
  auto reply = control(client, "GetStatus");
  if (!reply) return call_failed(reply.error());
  const auto mode = text(reply->parameters, "mode", "unknown");
  if (request.json)
    print_json({{"mode", mode}, {"in_force", !is_degraded(reply->parameters)}});
  else
    print(mode + "\n");
  return status_of(reply->parameters);
}

ExitStatus change_mode(varlink::Client& client, const Request& request) {
  const auto changed = show_reply(client, request, "SetMode", {{"mode", request.mode}},
                                  [&](const Json&) { return request.mode + "\n"; });
  if (changed != ExitStatus::ok) return changed;
  // the kernel may accept the scheduler and eject it at once
  auto reply = control(client, "GetStatus");
  if (!reply) return call_failed(reply.error());
  if (!is_degraded(reply->parameters)) return ExitStatus::ok;
  return complain("the kernel ejected the scheduler at once: " + last_exit(reply->parameters),
                  ExitStatus::degraded);
}

}  // namespace morpheus::ctl
