// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/events.hpp"

#include <chrono>
#include <cstdio>
#include <limits>

#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/console/render.hpp"

namespace morpheus::ctl {
namespace {

using varlink::CallError;
using Clock = std::chrono::steady_clock;

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

}  // namespace

ExitStatus stream_events(varlink::Client& client, const Request& request) {
  if (auto asked = client.call_more("io.morpheus.Control.Subscribe"); !asked)
    return call_failed(asked.error());
  end_on_signals();
  const auto end =
      request.follow
          ? Clock::time_point::max()
          : Clock::now() + std::chrono::milliseconds(static_cast<long>(request.timeout_s * 1000));
  std::uint64_t left = request.follow ? std::numeric_limits<std::uint64_t>::max() : request.count;
  Json collected{{"events", Json::array()}, {"dropped", 0u}};
  while (left > 0 && Clock::now() < end && !was_interrupted()) {
    auto reply = client.next_reply(kSignalWait);
    if (!reply && reply.error().kind == CallError::Kind::timeout) continue;
    if (!reply && was_interrupted()) break;
    if (!reply) return call_failed(reply.error());
    left -= show_events(request, reply->parameters, left, collected);
  }
  if (request.json && !request.follow) print_json(std::move(collected));
  return ExitStatus::ok;
}

}  // namespace morpheus::ctl
