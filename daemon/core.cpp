// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/core.hpp"

#include <vector>

#include "daemon/log.hpp"
#include "daemon/monotonic_clock.hpp"
#include "daemon/names.hpp"

namespace morpheus::daemon {

Core::Core(const Config& config, KernelSide& kernel, AdminRule admin, GlobalBlock global)
    : config_(config),
      kernel_(kernel),
      admin_(std::move(admin)),
      global_(std::move(global)),
      clients_(kernel, config_.limits),
      tunables_(config.tunables),
      started_ns_(monotonic_ns()) {
  tick();
}

Result<void> Core::set_mode(Mode mode) {
  // a refusal is for the caller to report: to whom it was given is known there
  if (auto changed = kernel_.set_mode(mode); !changed) return changed;
  if (mode != mode_) log::info("mode {}", mode_name(mode));
  mode_ = mode;
  in_force_ = true;
  update_global();
  return {};
}

Result<void> Core::set_tunables(const morpheus_tunables& tunables) {
  if (auto checked = check_tunables(tunables); !checked) return checked;
  tunables_ = tunables;
  kernel_.set_tunables(tunables);
  log::info("tunables {}", to_json(tunables).dump());
  return {};
}

void Core::tick() {
  drain_events();
  pressure_ = read_pressure();
  clients_.remove_dead_workers();
  update_global();
}

void Core::update_global() {
  auto in_force = MORPHEUS_OBSERVER_ONLY;
  if (mode_ == Mode::enforced) {
    const auto report = kernel_.report();
    if (report.attached) in_force = MORPHEUS_ENFORCED;
    if (in_force_ && !report.attached)
      log::error("the kernel ejected the scheduler: {}; set the mode again to attach it",
                 report.last_exit.value_or("no reason given"));
    in_force_ = report.attached;
  }
  global_.update(pressure_, in_force, monotonic_ns());
}

std::shared_ptr<Subscription> Core::subscribe(bool runs) {
  auto subscription = events_.subscribe(config_.limits.subscriber_events, runs);
  kernel_.want_events(events_.wanted());
  return subscription;
}

void Core::drain_events() {
  const auto wanted = events_.wanted();
  kernel_.want_events(wanted);
  std::vector<morpheus_event> exits;
  kernel_.drain_events([&](const morpheus_event& event) {
    on_event(event, wanted);
    if (event.type == MORPHEUS_EVENT_EXIT) exits.push_back(event);
  });
  // not from within drain_events(): this changes the kernel's worker table
  for (const auto& event : exits) clients_.thread_exited(event.slot, event.generation);
  if (wanted != EventDetail::own) events_.wake_all();
}

void Core::on_event(const morpheus_event& event, EventDetail wanted) {
  if (event.type == MORPHEUS_EVENT_ACK) {
    ack_latency_.add(event.value_ns);
    morpheus_count_time(&ack_times_, event.value_ns);
  }
  if (wanted == EventDetail::own) return;
  const Worker* worker = clients_.find(event.slot, event.generation);
  const bool is_run = (MORPHEUS_TRACE_EVENTS >> event.type & 1u) != 0;
  events_.publish(to_json(event, worker == nullptr ? 0 : worker->tid), is_run);
}

void Core::announce_stop() { global_.update(pressure_, MORPHEUS_OBSERVER_ONLY, 0); }

std::uint64_t Core::uptime_ns() const { return monotonic_ns() - started_ns_; }

nlohmann::json to_json(const morpheus_event& event, pid_t tid) {
  nlohmann::json json{{"time_ns", event.time_ns},
                      {"type", event_type_name(event.type)},
                      {"worker_id", event.generation},
                      {"tid", tid},
                      {"cpu", event.cpu},
                      {"seq", event.seq},
                      {"value_ns", event.value_ns}};
  if (event.type == MORPHEUS_EVENT_HINT) json["reason"] = hint_reason_name(event.reason);
  if (event.type == MORPHEUS_EVENT_BLOCKED) json["reason"] = block_reason_name(event.reason);
  if (event.type == MORPHEUS_EVENT_ACK && event.reason != MORPHEUS_YIELD_NONE)
    json["reason"] = yield_reason_name(event.reason);
  if (event.type == MORPHEUS_EVENT_ESCALATED) json["reason"] = policy_name(event.reason);
  if (event.flags & MORPHEUS_FLAG_RUNNABLE) json["runnable"] = true;
  if (event.flags & MORPHEUS_FLAG_CRITICAL) json["critical"] = true;
  return json;
}

}  // namespace morpheus::daemon
