// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/control_service.hpp"

#include <sys/utsname.h>

#include <utility>

#include "daemon/control_json.hpp"
#include "daemon/metrics.hpp"
#include "daemon/monotonic_clock.hpp"
#include "daemon/names.hpp"
#include "proto/interfaces.hpp"

namespace morpheus::daemon {
namespace {

constexpr std::size_t kLongestName = 64;
constexpr std::size_t kPieceBytes = 4096;
constexpr std::uint64_t kAnyNs = std::uint64_t{1} << 62;

auto control_fault(std::string_view name, const std::string& reason) {
  return fault("io.morpheus.Control." + std::string(name), {{"reason", reason}});
}

Outcome answer(Json parameters) { return Answer{std::move(parameters), {}, false}; }

// For methods without parameters.
std::optional<std::string> surplus(const Call& call) { return Parameters(call.parameters).wrong(); }

Outcome get_status(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  core.drain_events();
  utsname system{};
  ::uname(&system);
  return answer(
      {{"version", MORPHEUS_PROJECT_VERSION},
       {"kernel", system.release},
       {"backend", core.kernel().name()},
       {"mode", mode_name(core.mode())},
       {"scope", scope_name(core.scope())},
       {"uptime_ns", core.uptime_ns()},
       {"scheduler", scheduler_json(core.scheduler_report(), core.restarts())},
       {"clients", core.clients().all().size()},
       {"workers", core.clients().worker_count()},
       {"counters", counters_json(core.clients().totals(), core.kernel().events_dropped())},
       {"ack_latency", latency_json(core.ack_latency())},
       {"pressure", pressure_json(core.pressure())},
       {"tunables", to_json(core.tunables())}});
}

Outcome get_last_exit(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  return answer(exit_json(core.scheduler_report().last_exit));
}

Outcome set_mode(Core& core, Call& call, Caller&) {
  Parameters parameters(call.parameters);
  const auto mode = mode_from(parameters.string("mode", kLongestName));
  if (!mode) parameters.refuse("mode");
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  if (const auto changed = core.set_mode(*mode); !changed)
    return control_fault("EnforcedUnavailable", changed.error().text());
  return answer({{"mode", mode_name(core.mode())}});
}

Outcome get_tunables(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  return answer({{"tunables", to_json(core.tunables())}});
}

Outcome set_tunables(Core& core, Call& call, Caller&) {
  Parameters parameters(call.parameters);
  morpheus_tunables wanted = core.tunables();
  for (const auto& f : kTunableFields)
    if (const auto value = parameters.optional_number(f.name, kAnyNs)) wanted.*f.field = *value;
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  if (const auto changed = core.set_tunables(wanted); !changed)
    return control_fault("InvalidTunables", changed.error().text());
  return answer({{"tunables", to_json(core.tunables())}});
}

// A list of what `of_client` has to say of each client, a few clients at a time. Clients that come or go meanwhile
// are in it or not.
template <class OfClient>
Outcome list_by_client(Core& core, const char* name, OfClient of_client) {
  Answer answer;
  answer.write_more = [&core, name, of_client, last = std::uint64_t{0},
                       is_first = true](std::string& text) mutable {
    if (last == 0) text += std::string("{\"") + name + "\":[";
    const std::size_t enough = text.size() + kPieceBytes;
    while (text.size() < enough) {
      const Client* client = core.clients().after(last);
      if (client == nullptr) {
        text += "]}";
        return false;
      }
      last = client->id;
      of_client(*client, [&](const Json& json) {
        if (!std::exchange(is_first, false)) text += ',';
        text += json.dump(-1, ' ', false, Json::error_handler_t::replace);
      });
    }
    return true;
  };
  return answer;
}

Outcome list_clients(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  return list_by_client(core, "clients",
                        [](const Client& client, const auto& add) { add(client_json(client)); });
}

Outcome list_workers(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  const auto now = monotonic_ns();
  return list_by_client(core, "workers", [&core, now](const Client& client, const auto& add) {
    for (const auto& [line, worker] : client.workers)
      add(worker_json(client, worker, core.kernel().worker(worker.slot), now));
  });
}

Outcome get_statistics(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  core.drain_events();
  return answer(statistics_json(core.clients().totals(), core));
}

Outcome get_metrics(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  return answer({{"content_type", content_type(Exposition::openmetrics)},
                 {"text", metrics_text(core, Exposition::openmetrics)}});
}

Outcome subscribe(Core& core, Call& call, Caller& caller) {
  Parameters parameters(call.parameters);
  const bool trace = parameters.optional_bool("trace").value_or(false);
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  if (!call.more) return fault("org.varlink.service.ExpectedMore");
  auto subscription = core.subscribe(caller.peer.uid, trace);
  if (!subscription)
    return fault("io.morpheus.Control.QuotaExceeded",
                 {{"what", subscription.error().what}, {"limit", subscription.error().limit}});
  caller.subscription = std::move(*subscription);
  // an empty first reply tells the subscriber that from now on nothing is missed
  return Answer{caller.subscription->take(0), {}, true};
}

}  // namespace

void add_control_service(Router& router, Core& core) {
  router.add_interface("io.morpheus.Control", varlink::kControlInterface);
  const auto add = [&](Right right, const char* name, Outcome (*method)(Core&, Call&, Caller&)) {
    router.add_method(std::string("io.morpheus.Control.") + name,
                      [&core, right, method](Call& call, Caller& caller) -> Outcome {
                        if (!core.allows(caller.peer, right))
                          return fault("org.varlink.service.PermissionDenied");
                        return method(core, call, caller);
                      });
  };
  add(Right::read, "GetStatus", get_status);
  add(Right::read, "GetLastExit", get_last_exit);
  add(Right::change, "SetMode", set_mode);
  add(Right::read, "GetTunables", get_tunables);
  add(Right::change, "SetTunables", set_tunables);
  add(Right::read, "ListClients", list_clients);
  add(Right::read, "ListWorkers", list_workers);
  add(Right::read, "GetStatistics", get_statistics);
  add(Right::read, "GetMetrics", get_metrics);
  add(Right::read, "Subscribe", subscribe);
}

}  // namespace morpheus::daemon
