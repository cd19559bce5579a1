// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/core.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <sstream>
#include <vector>

#include "daemon/config/names.hpp"
#include "daemon/log.hpp"
#include "proto/monotonic_clock.hpp"

namespace morpheus::daemon {

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kPenaltyPeriodNs = 100'000'000;

void tell_of_end(const SchedulerReport& report, const RestartPolicy& restarts, std::uint64_t now) {
  const auto why = report.last_exit ? to_text(*report.last_exit) : std::string("no reason given");
  constexpr const char* kText = "the kernel ended the scheduler: {}; {}";
  if (restarts.due_ns())
    log::error(kText, why,
               fmt::format("attaching it again in {} ms", (*restarts.due_ns() - now) / 1'000'000));
  else
    log::error(kText, why, "set the mode again to attach it");
  if (!report.last_exit || report.last_exit->dump.empty()) return;
  std::istringstream lines(report.last_exit->dump);
  for (std::string line; std::getline(lines, line);) log::info("dump: {}", line);
}

}  // namespace

Core::Core(const Config& config, KernelSide& kernel, AccessRules access, GlobalBlock global)
    : config_(config),
      kernel_(kernel),
      access_(access),
      global_(std::move(global)),
      accounts_(config_.limits, access.daemon_uid),
      clients_(kernel, config_.limits, accounts_),
      tunables_(config.tunables),
      restarts_(config.limits.scheduler_restarts,
                std::uint64_t{config.limits.scheduler_backoff_ms} * 1'000'000),
      started_ns_(monotonic_ns()),
      alarm_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  const auto& throttle = config.throttle;
  kernel_.set_penalty({.time_ns = throttle.penalty_ms * std::uint64_t{1'000'000},
                       .quota_ns = kPenaltyPeriodNs / 100 * throttle.percent,
                       .period_ns = kPenaltyPeriodNs});
  tick();
}

Result<void> Core::set_mode(Mode mode) {
  // a refusal is for the caller to report: to whom it was given is known there
  if (auto changed = mode == Mode::enforced ? attach_scheduler() : kernel_.set_mode(mode); !changed)
    return changed;
  if (mode == Mode::observer) canary_.reset();
  if (mode != mode_) log::info("mode {}", mode_name(mode));
  mode_ = mode;
  in_force_ = mode == Mode::enforced;
  restarts_.begin_anew();
  groups_due_ns_ = 0;
  watch_scheduler();
  tell_of_groups();
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
  in_force_ = false;
  fallback_ = "the canary ended Enforced mode: normal threads got no CPU for " +
              std::to_string(config_.canary.starved_ms) + " ms";
  fallback_ns_ = monotonic_ns();
  refused_until_ns_ = fallback_ns_ + config_.canary.refuse_s * kSecond;
  log::error("{}; mode observer, Enforced is refused for {} s", *fallback_,
             config_.canary.refuse_s);
  update_global();
}

SchedulerReport Core::scheduler_report() {
  auto report = kernel_.report();
  if (fallback_)
    report.last_exit =
        std::make_shared<SchedulerExit>(SchedulerExit{.cause = MORPHEUS_EXIT_DETACHED,
                                                      .time_ns = fallback_ns_,
                                                      .code = 0,
                                                      .reason = *fallback_,
                                                      .message = {},
                                                      .dump = {}});
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
  watch_scheduler();
  tell_of_groups();
  update_global();
}

void Core::watch_scheduler() {
  if (mode_ != Mode::enforced) return;
  const auto report = kernel_.report();
  if (report.kernel_state == "disabling") return;  // the reason is known when that is over
  const auto now = monotonic_ns();
  if (in_force_ && !report.attached) {
    const auto cause = report.last_exit ? report.last_exit->cause : MORPHEUS_EXIT_EJECTED;
    restarts_.ended(cause, now);
    tell_of_end(report, restarts_, now);
  }
  in_force_ = report.attached;
  if (!in_force_) canary_.reset();
  if (in_force_ || !restarts_.due_ns() || *restarts_.due_ns() > now) return;
  if (const auto again = attach_scheduler(); again) {
    restarts_.restarted(now);
    in_force_ = true;
    groups_due_ns_ = 0;
    log::warn("attached the scheduler again");
  } else {
    restarts_.ended(MORPHEUS_EXIT_EJECTED, now);
    log::error("cannot attach the scheduler again: {}", again.error().text());
  }
}

// Also after each restart: the scheduler begins without knowing any.
void Core::tell_of_groups() {
  const auto now = monotonic_ns();
  const auto interval = kernel_.group_interval();
  if (!in_force_ || interval == 0 || now < groups_due_ns_) return;
  groups_due_ns_ = now + interval * std::uint64_t{1'000'000'000};
  kernel_.set_groups(read_group_rules(kControlGroupRoot, config_.throttle.cgroups));
}

void Core::update_global() {
  global_.update(pressure_, in_force_ ? MORPHEUS_ENFORCED : MORPHEUS_OBSERVER_ONLY, monotonic_ns());
}

tl::expected<std::shared_ptr<Subscription>, QuotaError> Core::subscribe(uid_t uid, bool runs) {
  auto charge = std::make_unique<Charge>(accounts_, uid, Resource::subscribers);
  if (const auto quota = charge->become(1)) return tl::unexpected(*quota);
  auto subscription = events_.subscribe(config_.limits.subscriber_events, runs);
  subscription->charge = std::move(charge);
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
  if (event.type == MORPHEUS_EVENT_ACKNOWLEDGED) {
    ack_latency_.add(event.value_ns);
    morpheus_count_time(&ack_times_, event.value_ns);
  }
  if (wanted == EventDetail::own) return;
  const WorkerEntry* worker = clients_.find(event.slot, event.generation);
  events_.publish({event, worker == nullptr ? 0 : worker->tid});
}

void Core::announce_stop() { global_.update(pressure_, MORPHEUS_OBSERVER_ONLY, 0); }

std::uint64_t Core::uptime_ns() const { return monotonic_ns() - started_ns_; }

}  // namespace morpheus::daemon
