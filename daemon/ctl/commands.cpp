// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <limits>

#include "proto/varlink_client.hpp"

namespace morpheus::ctl {
namespace {

using varlink::CallError;
using varlink::CallResult;
using varlink::Client;

ExitStatus complain(const std::string& line, ExitStatus status) {
  std::fprintf(stderr, "morpheusctl: %s\n", line.c_str());
  return status;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_json(Json object) {
  object["schema_version"] = 1;
  print(object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

ExitStatus cannot_connect(const Request& request, const Error& error) {
  if (error.code == ENOENT || error.code == ECONNREFUSED)
    return complain("morpheusd is not running at " + request.socket +
                        "; start it (systemctl start morpheusd) or name its --socket",
                    ExitStatus::not_running);
  if (error.code == EACCES || error.code == EPERM)
    return complain(error.text() + "; run as root or ask for access to the socket",
                    ExitStatus::refused);
  return complain(error.text(), ExitStatus::error);
}

ExitStatus call_failed(const CallError& error) {
  const auto reason = [&] {
    const auto it = error.parameters.find("reason");
    return it != error.parameters.end() && it->is_string() ? it->get<std::string>() : error.text();
  };
  if (error.is("org.varlink.service.PermissionDenied"))
    return complain("not permitted; run as root or join the admin group", ExitStatus::refused);
  if (error.is("io.morpheus.Control.EnforcedUnavailable"))
    return complain("enforced mode is not available: " + reason(), ExitStatus::refused);
  if (error.is("io.morpheus.Control.InvalidTunables")) return complain(reason(), ExitStatus::usage);
  if (error.kind == CallError::Kind::timeout)
    return complain("morpheusd does not answer; see its log (journalctl -u morpheusd)",
                    ExitStatus::error);
  return complain(error.text(), ExitStatus::error);
}

// One call whose reply is shown whole.
template <class Show>
ExitStatus ask(Client& client, const Request& request, const char* method, const Json& parameters,
               Show show) {
  auto reply = client.call(std::string("io.morpheus.Control.") + method, parameters);
  if (!reply) return call_failed(reply.error());
  if (request.json)
    print_json(reply->parameters);
  else
    print(show(reply->parameters));
  return ExitStatus::ok;
}

ExitStatus show_status(Client& client, const Request& request, const Palette& palette) {
  auto reply = client.call("io.morpheus.Control.GetStatus");
  if (!reply) return call_failed(reply.error());
  const Json& status = reply->parameters;
  if (request.command == Request::Command::mode) {
    const Json mode = status.value("mode", Json("unknown"));
    if (request.json)
      print_json({{"mode", mode}, {"in_force", !is_degraded(status)}});
    else
      print((mode.is_string() ? mode.get<std::string>() : "unknown") + "\n");
  } else if (request.json) {
    print_json(status);
  } else {
    print(render_status(status, palette));
  }
  return is_degraded(status) ? ExitStatus::degraded : ExitStatus::ok;
}

ExitStatus set_tunables(Client& client, const Request& request) {
  Json parameters = Json::object();
  for (const auto& assignment : request.assignments)
    if (!parse_assignment(assignment, parameters))
      return complain("'" + assignment + "' is no assignment; write for example slice=5ms",
                      ExitStatus::usage);
  return ask(client, request, "SetTunables", parameters, [](const Json& reply) {
    return render_tunables(reply.value("tunables", Json::object()));
  });
}

// Shows one batch; returns how many events it held.
std::uint64_t show_events(const Request& request, const Json& batch, std::uint64_t most,
                          Json& collected) {
  std::uint64_t shown = 0;
  for (const auto& event : batch.value("events", Json::array())) {
    if (shown == most) break;
    ++shown;
    if (!request.json)
      print(render_event(event));
    else if (request.follow)
      print_json(event);
    else
      collected["events"].push_back(event);
  }
  const auto dropped = batch.value("dropped", std::uint64_t{0});
  collected["dropped"] = collected["dropped"].get<std::uint64_t>() + dropped;
  if (dropped > 0) std::fprintf(stderr, "morpheusctl: %zu events were lost\n", size_t{dropped});
  return shown;
}

ExitStatus stream_events(Client& client, const Request& request) {
  using Clock = std::chrono::steady_clock;
  if (auto asked = client.call_more("io.morpheus.Control.Subscribe"); !asked)
    return call_failed(asked.error());
  const auto deadline =
      Clock::now() + std::chrono::milliseconds(static_cast<long>(request.timeout_s * 1000));
  std::uint64_t left = request.follow ? std::numeric_limits<std::uint64_t>::max() : request.count;
  Json collected{{"events", Json::array()}, {"dropped", 0u}};
  while (left > 0) {
    auto wait =
        request.follow
            ? std::chrono::milliseconds(std::chrono::hours(1))
            : std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    auto reply = client.next_reply(std::max(wait, std::chrono::milliseconds(0)));
    if (!reply && reply.error().kind == CallError::Kind::timeout) {
      if (request.follow) continue;
      break;
    }
    if (!reply) return call_failed(reply.error());
    left -= show_events(request, reply->parameters, left, collected);
  }
  if (request.json && !request.follow) print_json(std::move(collected));
  return ExitStatus::ok;
}

ExitStatus carry_out(Client& client, const Request& request, const Palette& palette) {
  using Command = Request::Command;
  const auto list = [&](const char* method, const char* key, auto render) {
    return ask(client, request, method, Json::object(),
               [&](const Json& reply) { return render(reply.value(key, Json::array()), palette); });
  };
  switch (request.command) {
    case Command::status:
      return show_status(client, request, palette);
    case Command::mode:
      if (request.mode.empty()) return show_status(client, request, palette);
      return ask(client, request, "SetMode", {{"mode", request.mode}},
                 [&](const Json&) { return request.mode + "\n"; });
    case Command::workers:
      return list("ListWorkers", "workers", render_workers);
    case Command::clients:
      return list("ListClients", "clients", render_clients);
    case Command::tunables_get:
      return ask(client, request, "GetTunables", Json::object(), [](const Json& reply) {
        return render_tunables(reply.value("tunables", Json::object()));
      });
    case Command::tunables_set:
      return set_tunables(client, request);
    case Command::events:
      return stream_events(client, request);
  }
  return ExitStatus::error;
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

ExitStatus run(const Request& request, const Palette& palette) {
  auto client = Client::connect(request.socket);
  if (!client) return cannot_connect(request, client.error());
  return carry_out(*client, request, palette);
}

}  // namespace morpheus::ctl
