// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/control_service.hpp"

#include <sys/utsname.h>

#include "daemon/control_json.hpp"
#include "daemon/names.hpp"
#include "proto/interfaces.hpp"

namespace morpheus::daemon {
namespace {

constexpr std::size_t kLongestName = 64;
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
       {"uptime_ns", core.uptime_ns()},
       {"scheduler", scheduler_json(core.scheduler_report())},
       {"clients", core.clients().all().size()},
       {"workers", core.clients().worker_count()},
       {"counters", counters_json(core.clients().totals(), core.kernel().events_dropped())},
       {"ack_latency", latency_json(core.ack_latency())},
       {"pressure", pressure_json(core.pressure())},
       {"tunables", to_json(core.tunables())}});
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

Outcome list_clients(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  Json list = Json::array();
  for (const auto& [id, client] : core.clients().all()) list.push_back(client_json(*client));
  return answer({{"clients", std::move(list)}});
}

Outcome list_workers(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  Json list = Json::array();
  for (const auto& [id, client] : core.clients().all())
    for (const auto& [line, worker] : client->workers)
      list.push_back(worker_json(*client, worker, core.kernel().worker(worker.slot)));
  return answer({{"workers", std::move(list)}});
}

Outcome subscribe(Core& core, Call& call, Caller& caller) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  if (!call.more) return fault("org.varlink.service.ExpectedMore");
  auto subscription = core.subscribe(caller.peer.uid);
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
  add(Right::change, "SetMode", set_mode);
  add(Right::read, "GetTunables", get_tunables);
  add(Right::change, "SetTunables", set_tunables);
  add(Right::read, "ListClients", list_clients);
  add(Right::read, "ListWorkers", list_workers);
  add(Right::read, "Subscribe", subscribe);
}

}  // namespace morpheus::daemon
