// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/tunables.hpp"

#include <charconv>
#include <limits>

#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/console/render.hpp"
#include "daemon/ctl/console/reply.hpp"

namespace morpheus::ctl {
namespace {

std::string render(const Json& reply) { return render_tunables(member(reply, "tunables")); }

}  // namespace

ExitStatus show_tunables(varlink::Client& client, const Request& request) {
  return show_reply(client, request, "GetTunables", Json::object(), render);
}

ExitStatus set_tunables(varlink::Client& client, const Request& request) {
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
    print_json(std::move(reply->parameters));
  else
    print(render(reply->parameters));
  return ExitStatus::ok;
}

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

}  // namespace morpheus::ctl
