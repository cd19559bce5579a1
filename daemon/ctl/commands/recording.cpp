// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/recording.hpp"

#include <algorithm>
#include <chrono>

#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/console/reply.hpp"
#include "proto/monotonic_clock.hpp"

namespace morpheus::ctl {
namespace {

using varlink::CallError;
using varlink::Client;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kIntroduce{1};  // how often to list the workers
// After this silence the daemon has no more to deliver: it reads the ring at least once a second.
constexpr std::uint64_t kSilenceNs = 1'200'000'000;

/// Adds the events up to `end_ns`; true if the batch goes beyond.
bool add_batch(TraceBuilder& trace, const Json& events, std::uint64_t end_ns) {
  bool beyond = false;
  for (const auto& event : events) {
    if (number(event, "time_ns") <= end_ns)
      trace.add(event);
    else
      beyond = true;
  }
  return beyond;
}

}  // namespace

void introduce_all(Client& asking, TraceBuilder& trace) {
  const auto workers = control(asking, "ListWorkers");
  const auto clients = control(asking, "ListClients");
  if (workers && clients)
    trace.introduce(workers->parameters.value("workers", Json::array()),
                    clients->parameters.value("clients", Json::array()));
}

tl::expected<std::uint64_t, CallError> record_events(Client& stream, Client& asking,
                                                     TraceBuilder& trace, double seconds,
                                                     const std::function<bool()>& goes_on) {
  if (auto asked = stream.call_more("io.morpheus.Control.Subscribe", {{"trace", true}}); !asked)
    return tl::unexpected(asked.error());
  // events carry times of this clock
  const auto end_ns = monotonic_ns() + static_cast<std::uint64_t>(seconds * 1e9);
  auto introduced = Clock::now();
  std::uint64_t lost = 0;
  bool beyond = false;
  std::uint64_t heard_ns = 0;
  while (!beyond && !was_interrupted() && goes_on()) {
    if (monotonic_ns() > std::max(end_ns, heard_ns) + kSilenceNs) break;
    auto reply = stream.next_reply(kSignalWait);
    if (!reply && reply.error().kind != CallError::Kind::timeout)
      return tl::unexpected(reply.error());
    if (Clock::now() > introduced + kIntroduce) {
      introduce_all(asking, trace);
      introduced = Clock::now();
    }
    if (!reply) continue;
    heard_ns = monotonic_ns();
    if (const auto dropped = number(reply->parameters, "dropped"); dropped > 0) {
      trace.lost(dropped);
      lost += dropped;
    }
    beyond = add_batch(trace, reply->parameters.value("events", Json::array()), end_ns);
  }
  return lost;
}

}  // namespace morpheus::ctl
