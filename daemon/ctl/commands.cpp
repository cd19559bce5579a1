// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands.hpp"

#include <charconv>
#include <limits>

#include "daemon/ctl/commands/doctor.hpp"
#include "daemon/ctl/commands/dump.hpp"
#include "daemon/ctl/commands/events.hpp"
#include "daemon/ctl/commands/top.hpp"
#include "daemon/ctl/commands/trace.hpp"
#include "daemon/ctl/completion.hpp"
#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/console/render.hpp"

namespace morpheus::ctl {
namespace {

using varlink::Client;

// One call whose reply is shown whole.
template <class Show>
ExitStatus ask(Client& client, const Request& request, const char* method, const Json& parameters,
               Show show) {
  auto reply = control(client, method, parameters);
  if (!reply) return call_failed(reply.error());
  if (request.json)
    print_json(reply->parameters);
  else
    print(show(reply->parameters));
  return ExitStatus::ok;
}

template <class Render>
ExitStatus list(Client& client, const Request& request, const char* method, const char* key,
                Render render) {
  return ask(client, request, method, Json::object(), [&](const Json& reply) {
    return render(reply.value(key, Json::array()), Palette{request.colour});
  });
}

ExitStatus show_status(Client& client, const Request& request) {
  auto reply = control(client, "GetStatus");
  if (!reply) return call_failed(reply.error());
  const Json& status = reply->parameters;
  const Json mode = status.value("mode", Json("unknown"));
  if (request.command == Command::mode) {
    if (request.json)
      print_json({{"mode", mode}, {"in_force", !is_degraded(status)}});
    else
      print((mode.is_string() ? mode.get<std::string>() : "unknown") + "\n");
  } else if (request.json) {
    print_json(status);
  } else {
    print(render_status(status, Palette{request.colour}));
  }
  return is_degraded(status) ? ExitStatus::degraded : ExitStatus::ok;
}

// A kernel may take the scheduler and eject it at once: the answer to SetMode is not the last word.
ExitStatus change_mode(Client& client, const Request& request) {
  const auto changed = ask(client, request, "SetMode", {{"mode", request.mode}},
                           [&](const Json&) { return request.mode + "\n"; });
  if (changed != ExitStatus::ok) return changed;
  auto reply = control(client, "GetStatus");
  if (!reply) return call_failed(reply.error());
  if (!is_degraded(reply->parameters)) return ExitStatus::ok;
  return complain("the kernel ejected the scheduler at once: " + last_exit(reply->parameters),
                  ExitStatus::degraded);
}

ExitStatus set_tunables(Client& client, const Request& request) {
  Json parameters = Json::object();
  for (const auto& assignment : request.assignments) {
    const auto before = parameters.size();
    if (!parse_assignment(assignment, parameters))
      return complain("'" + assignment + "' is no assignment; write for example slice=5ms",
                      ExitStatus::usage);
    if (parameters.size() == before)
      return complain("'" + assignment + "' gives a tunable a second value", ExitStatus::usage);
  }
  auto reply = control(client, "SetTunables", parameters);
  if (!reply && reply.error().is("org.varlink.service.InvalidParameter"))
    return complain("there is no tunable " +
                        reply.error().parameters.value("parameter", "of that name") +
                        "; morpheusctl tunables lists them",
                    ExitStatus::usage);
  if (!reply) return call_failed(reply.error());
  if (request.json)
    print_json(reply->parameters);
  else
    print(render_tunables(reply->parameters.value("tunables", Json::object())));
  return ExitStatus::ok;
}

ExitStatus show_metrics(Client& client, const Request& request) {
  return ask(client, request, "GetMetrics", Json::object(),
             [](const Json& reply) { return reply.value("text", ""); });
}

ExitStatus carry_out(Client& client, const Request& request) {
  switch (request.command) {
    case Command::mode:
      return request.mode.empty() ? show_status(client, request) : change_mode(client, request);
    case Command::last_exit:
      return ask(client, request, "GetLastExit", Json::object(), render_last_exit);
    case Command::workers:
      return list(client, request, "ListWorkers", "workers", render_workers);
    case Command::clients:
      return list(client, request, "ListClients", "clients", render_clients);
    case Command::tunables_get:
      return ask(client, request, "GetTunables", Json::object(), [](const Json& reply) {
        return render_tunables(reply.value("tunables", Json::object()));
      });
    case Command::tunables_set:
      return set_tunables(client, request);
    case Command::stats:
      return ask(client, request, "GetStatistics", Json::object(), render_statistics);
    case Command::metrics:
      return show_metrics(client, request);
    case Command::events:
      return stream_events(client, request);
    case Command::top:
      return show_top(client, request);
    case Command::trace:
      return record_trace(client, request);
    default:
      return show_status(client, request);
  }
}

}  // namespace

bool parse_assignment(const std::string& text, Json& into) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  std::string name = text.substr(0, equals);
  if (!name.ends_with("_ns")) name += "_ns";
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + equals + 1, end, value);
  if (parsed.ec != std::errc{}) return false;
  const std::string unit(parsed.ptr, end);
  std::uint64_t factor = 0;
  if (unit.empty() || unit == "ns") factor = 1;
  if (unit == "us") factor = 1'000;
  if (unit == "ms") factor = 1'000'000;
  if (unit == "s") factor = 1'000'000'000;
  if (factor == 0 || value > std::numeric_limits<std::int64_t>::max() / factor) return false;
  into[name] = value * factor;
  return true;
}

ExitStatus run(const Request& request) {
  if (request.command == Command::completion) {
    print(completion_script(request.shell, command_tree()));
    return ExitStatus::ok;
  }
  auto client = Client::connect(request.socket);
  // these two have something to say without a daemon, too
  if (request.command == Command::doctor) return examine_host(client, request);
  if (request.command == Command::dump) return write_dump(client, request);
  if (!client) return cannot_connect(request.socket, client.error());
  return carry_out(*client, request);
}

}  // namespace morpheus::ctl
