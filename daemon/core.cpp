// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/core.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <vector>

#include "daemon/log.hpp"
#include "daemon/monotonic_clock.hpp"
#include "daemon/names.hpp"

namespace morpheus::daemon {

namespace {
constexpr std::uint64_t kSecond = 1'000'000'000;
}

Core::Core(const Config& config, KernelSide& kernel, AccessRules access, GlobalBlock global)
    : config_(config),
      kernel_(kernel),
      access_(access),
      global_(std::move(global)),
      accounts_(config_.limits, access.daemon_uid),
      clients_(kernel, config_.limits, accounts_),
      tunables_(config.tunables),
      started_ns_(monotonic_ns()),
      alarm_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  tick();
}

Result<void> Core::set_mode(Mode mode) {
  // a refusal is for the caller to report: to whom it was given is known there
  if (auto changed = mode == Mode::enforced ? attach_scheduler() : kernel_.set_mode(mode); !changed)
    return changed;
  if (mode == Mode::observer) canary_.reset();
  if (mode != mode_) log::info("mode {}", mode_name(mode));
  mode_ = mode;
  in_force_ = true;
  update_global();
  return {};
}

Result<void> Core::attach_scheduler() {
  if (const auto why = refusal()) return fail(*why);
  if (canary_ && kernel_.report().attached) return {};
  canary_.reset();  // it watched over a scheduler that is gone
  if (auto attached = kernel_.set_mode(Mode::enforced); !attached) return attached;
  fallback_.reset();
  auto rescue = kernel_.rescue();
  if (config_.canary.starved_ms == 0 || !rescue) return {};
  const Canary::Options options{.starved = std::chrono::milliseconds(config_.canary.starved_ms)};
  auto canary = Canary::start(options, alarm_.get(), std::move(rescue));
  if (!canary) {
    (void)kernel_.set_mode(mode_);
    return tl::unexpected(canary.error());
  }
  canary_ = std::move(*canary);
  return {};
}

std::optional<std::string> Core::refusal() const {
  const std::uint64_t now = monotonic_ns();
  if (now >= refused_until_ns_) return std::nullopt;
  return fallback_.value_or("") + "; Enforced mode is refused for another " +
         std::to_string((refused_until_ns_ - now) / kSecond + 1) + " s";
}

void Core::answer_alarm() {
  std::uint64_t ignored = 0;
  (void)!::read(alarm_.get(), &ignored, sizeof(ignored));
  if (!canary_ || !canary_->has_alarm()) return;
  (void)kernel_.set_mode(Mode::observer);
  canary_.reset();
  mode_ = Mode::observer;
  fallback_ = "the canary ended Enforced mode: normal threads got no CPU for " +
              std::to_string(config_.canary.starved_ms) + " ms";
  refused_until_ns_ = monotonic_ns() + config_.canary.refuse_s * kSecond;
  log::error("{}; mode observer, Enforced is refused for {} s", *fallback_, config_.canary.refuse_s);
  update_global();
}

SchedulerReport Core::scheduler_report() {
  auto report = kernel_.report();
  if (fallback_) report.last_exit = *fallback_;
  if (!report.why_not && !report.attached) report.why_not = refusal();
  return report;
}

Result<void> Core::set_tunables(const morpheus_tunables& tunables) {
  if (auto checked = check_tunables(tunables); !checked) return checked;
  tunables_ = tunables;
  kernel_.set_tunables(tunables);
  log::info("tunables {}", to_json(tunables).dump());
  return {};
}

void Core::tick() {
  answer_alarm();
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
    if (!in_force_) canary_.reset();
  }
  global_.update(pressure_, in_force, monotonic_ns());
}

tl::expected<std::shared_ptr<Subscription>, QuotaError> Core::subscribe(uid_t uid) {
  auto charge = std::make_unique<Charge>(accounts_, uid, Resource::subscribers);
  if (const auto quota = charge->become(1)) return tl::unexpected(*quota);
  kernel_.want_all_events(true);
  auto subscription = events_.subscribe(config_.limits.subscriber_events);
  subscription->charge = std::move(charge);
  return subscription;
}

void Core::drain_events() {
  const bool publish = events_.has_subscribers();
  if (!publish) kernel_.want_all_events(false);
  std::vector<morpheus_event> exits;
  kernel_.drain_events([&](const morpheus_event& event) {
    on_event(event, publish);
    if (event.type == MORPHEUS_EVENT_EXIT) exits.push_back(event);
  });
  // not from within drain_events(): this changes the kernel's worker table
  for (const auto& event : exits) clients_.thread_exited(event.slot, event.generation);
  if (publish) events_.wake_all();
}

void Core::on_event(const morpheus_event& event, bool publish) {
  if (event.type == MORPHEUS_EVENT_ACK) ack_latency_.add(event.value_ns);
  if (!publish) return;
  const Worker* worker = clients_.find(event.slot, event.generation);
  events_.publish({event, worker == nullptr ? 0 : worker->tid});
}

void Core::announce_stop() { global_.update(pressure_, MORPHEUS_OBSERVER_ONLY, 0); }

std::uint64_t Core::uptime_ns() const { return monotonic_ns() - started_ns_; }

}  // namespace morpheus::daemon
