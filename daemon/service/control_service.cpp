// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/service/control_service.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <utility>

#include "daemon/config/names.hpp"
#include "daemon/log.hpp"
#include "daemon/service/control_json.hpp"
#include "daemon/service/metrics.hpp"
#include "proto/interfaces.hpp"
#include "proto/monotonic_clock.hpp"

namespace morpheus::daemon {
namespace {

constexpr std::size_t kPieceBytes = 4096;
constexpr std::uint64_t kAnyNs = std::uint64_t{1} << 62;

auto control_fault(std::string_view name, const std::string& reason) {
  return fault("io.morpheus.Control." + std::string(name), {{"reason", reason}});
}

Outcome answer(Json parameters) { return Answer{std::move(parameters), {}, false}; }

// For methods without parameters.
std::optional<WrongMember> surplus(const Call& call) { return parameters_of(call).wrong(); }

Outcome get_status(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  core.events().drain();
  utsname system{};
  ::uname(&system);
  return answer(
      {{"version", MORPHEUS_PROJECT_VERSION},
       {"kernel", system.release},
       {"backend", core.kernel().name()},
       {"mode", mode_name(core.enforcement().mode())},
       {"scope", scope_name(core.enforcement().scope())},
       {"uptime_ns", core.uptime_ns()},
       {"scheduler", scheduler_json(core.enforcement().report(), core.enforcement().restarts())},
       {"clients", core.clients().all().size()},
       {"workers", core.clients().worker_count()},
       {"counters", counters_json(core.clients().totals(), core.kernel().events_dropped())},
       {"ack_latency", latency_json(core.events().ack_latency())},
       {"pressure", pressure_json(core.pressure())},
       {"tunables", to_json(core.tunables())}});
}

Outcome get_last_exit(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  return answer(exit_json(core.enforcement().report().last_exit));
}

/// Who changed what.
void log_change(const Caller& caller, std::string_view what) {
  const Peer& by = caller.peer;
  std::string command = command_of(by.pid);  // a process may have any name
  std::ranges::replace_if(command, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  if (command.empty()) command = "?";  // gone, or hidden from us
  log::info("{}: set by {} (pid {}, uid {})", what, command, by.pid, by.uid);
}

Outcome set_mode(Core& core, Call& call, Caller& caller) {
  auto parameters = parameters_of(call);
  const auto mode = mode_from(parameters.required_string("mode", kLongestName));
  if (!mode) parameters.refuse("mode", "must be the name of a mode");
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  if (const auto changed = core.set_mode(*mode); !changed)
    return control_fault("EnforcedUnavailable", changed.error().text());
  log_change(caller, "mode " + std::string(mode_name(*mode)));
  return answer({{"mode", mode_name(core.enforcement().mode())}});
}

Outcome get_tunables(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  return answer({{"tunables", to_json(core.tunables())}});
}

Outcome set_tunables(Core& core, Call& call, Caller& caller) {
  auto parameters = parameters_of(call);
  morpheus_tunables wanted = core.tunables();
  for (const auto& f : kTunableFields)
    if (const auto value = parameters.number(f.name, 0, kAnyNs)) wanted.*f.field = *value;
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  if (const auto changed = core.set_tunables(wanted); !changed)
    return control_fault("InvalidTunables", changed.error().text());
  log_change(caller, "tunables " + to_text(core.tunables()));
  return answer({{"tunables", to_json(core.tunables())}});
}

// Lists what `next` returns until it returns nothing, a few at a time. A client that comes or goes
// meanwhile may be in the list or not.
template <class Next>
Outcome list(const char* name, Next next) {
  Answer answer;
  answer.write_more = [name, next, is_first = true](std::string& text) mutable {
    const std::size_t enough = text.size() + kPieceBytes;
    if (is_first) text += std::string("{\"") + name + "\":[";
    while (text.size() < enough) {
      const std::optional<Json> json = next();
      if (!json) {
        text += "]}";
        return false;
      }
      if (!std::exchange(is_first, false)) text += ',';
      text += json_text(*json);
    }
    return true;
  };
  return answer;
}

Outcome list_clients(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  return list("clients", [&core, next = std::uint64_t{0}]() mutable -> std::optional<Json> {
    const Client* client = core.clients().from(next);
    if (client == nullptr) return std::nullopt;
    next = client->id + 1;
    return client_json(*client);
  });
}

Outcome list_workers(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  return list("workers",
              [&core, now = monotonic_ns(), id = std::uint64_t{0},
               line = std::uint32_t{0}]() mutable -> std::optional<Json> {
                for (const Client* client; (client = core.clients().from(id)) != nullptr;
                     id = client->id + 1, line = 0) {
                  if (client->id != std::exchange(id, client->id)) line = 0;
                  const auto it = client->workers.lower_bound(line);
                  if (it == client->workers.end()) continue;
                  line = it->first + 1;
                  return worker_json(*client, it->second, core.kernel().worker(it->second.slot),
                                     now);
                }
                return std::nullopt;
              });
}

Outcome get_statistics(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  core.events().drain();
  return answer(statistics_json(core.clients().totals(), core));
}

Outcome get_metrics(Core& core, Call& call, Caller&) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  return answer({{"content_type", content_type(Exposition::openmetrics)},
                 {"text", metrics_text(core, Exposition::openmetrics)}});
}

Outcome subscribe(Core& core, Call& call, Caller& caller) {
  auto parameters = parameters_of(call);
  const bool trace = parameters.boolean("trace").value_or(false);
  if (const auto wrong = parameters.wrong()) return invalid_parameter(*wrong);
  if (!call.more) return fault("org.varlink.service.ExpectedMore");
  auto subscription = core.events().subscribe(caller.peer.uid, trace);
  if (!subscription)
    return quota_fault("io.morpheus.Control.QuotaExceeded", *subscription.error().quota);
  caller.subscription = std::move(*subscription);
  // an empty first reply says that the subscriber misses nothing from now on
  return Answer{caller.subscription->take(0), {}, true};
}

Outcome blame(Core& core, Call& call, Caller& caller) {
  if (const auto wrong = surplus(call)) return invalid_parameter(*wrong);
  if (!call.more) return fault("org.varlink.service.ExpectedMore");
  const Peer& peer = caller.peer;
  auto watch =
      core.events().watch_blame({.uid = peer.uid, .sees_all = core.allows(peer, Right::inspect)});
  if (!watch && watch.error().quota)
    return quota_fault("io.morpheus.Control.QuotaExceeded", *watch.error().quota);
  if (!watch) return control_fault("BlameUnavailable", watch.error().text());
  caller.subscription = std::move(*watch);
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
  add(Right::read, "Blame", blame);
}

}  // namespace morpheus::daemon
