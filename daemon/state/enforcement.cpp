// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/enforcement.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sstream>

#include "daemon/config/names.hpp"
#include "daemon/log.hpp"
#include "proto/monotonic_clock.hpp"

namespace morpheus::daemon {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kPenaltyPeriodNs = 100 * kMillisecond;

morpheus_penalty penalty_of(const ConfigThrottle& throttle) {
  return {.time_ns = throttle.penalty_ms * kMillisecond,
          .quota_ns = kPenaltyPeriodNs / 100 * throttle.percent,
          .period_ns = kPenaltyPeriodNs};
}

void log_end(const SchedulerReport& report, const RestartPolicy& restarts, std::uint64_t now) {
  const auto why = report.last_exit ? to_text(*report.last_exit) : std::string("no reason given");
  constexpr const char* kText = "the kernel ended the scheduler: {}; {}";
  if (const auto due = restarts.due_ns())
    log::error(kText, why, fmt::format("attaching it again in {} ms", (*due - now) / kMillisecond));
  else
    log::error(kText, why, "set the mode again to attach it");
  if (!report.last_exit || report.last_exit->dump.empty()) return;
  std::istringstream lines(report.last_exit->dump);
  for (std::string line; std::getline(lines, line);) log::info("dump: {}", line);
}

}  // namespace

Enforcement::Enforcement(const Config& config, KernelSide& kernel)
    : config_(config),
      kernel_(kernel),
      restarts_(config.limits.scheduler_restarts,
                config.limits.scheduler_backoff_ms * kMillisecond),
      alarm_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  kernel_.set_penalty(penalty_of(config.throttle));
  look_for_canary_denial();
}

void Enforcement::heed_config() {
  kernel_.set_penalty(penalty_of(config_.throttle));
  restarts_.set_limits(config_.limits.scheduler_restarts,
                       config_.limits.scheduler_backoff_ms * kMillisecond);
  groups_due_ns_ = 0;
  look_for_canary_denial();
  const std::chrono::milliseconds starved(config_.canary.starved_ms);
  if (!in_force_ || (canary_ && canary_->starved() == starved)) return;
  canary_.reset();
  if (const auto started = start_canary(); !started) log::error("{}", started.error().text());
}

Result<void> Enforcement::set_mode(Mode mode) {
  // The caller reports a refusal: it knows who asked.
  if (auto changed = mode == Mode::enforced ? attach_scheduler() : kernel_.set_mode(mode); !changed)
    return changed;
  if (mode == Mode::observer) canary_.reset();
  mode_ = mode;
  in_force_ = mode == Mode::enforced;
  restarts_.reset();
  groups_due_ns_ = 0;
  tick();
  return {};
}

Result<void> Enforcement::attach_scheduler() {
  look_for_canary_denial();
  if (const auto why = refusal()) return fail(*why);
  if (canary_ && kernel_.report().attached) return {};
  canary_.reset();  // it watched over a scheduler that is gone
  if (auto attached = kernel_.set_mode(Mode::enforced); !attached) return attached;
  fallback_.reset();
  return start_canary();
}

Result<void> Enforcement::start_canary() {
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

void Enforcement::look_for_canary_denial() {
  canary_denial_.reset();
  if (config_.canary.starved_ms != 0 && kernel_.needs_canary()) canary_denial_ = Canary::denial();
}

std::optional<std::string> Enforcement::refusal() const {
  if (canary_denial_) return canary_denial_->text();
  const std::uint64_t now = monotonic_ns();
  if (!fallback_ || now >= fallback_->refused_until_ns) return std::nullopt;
  return fallback_->why + "; Enforced mode is refused for another " +
         std::to_string((fallback_->refused_until_ns - now) / kSecond + 1) + " s";
}

SchedulerReport Enforcement::report() const {
  auto report = kernel_.report();
  if (fallback_)
    report.last_exit =
        std::make_shared<SchedulerExit>(SchedulerExit{.cause = MORPHEUS_EXIT_DETACHED,
                                                      .time_ns = fallback_->at_ns,
                                                      .code = 0,
                                                      .reason = fallback_->why,
                                                      .message = {},
                                                      .dump = {}});
  if (!report.why_not && !report.attached) report.why_not = refusal();
  return report;
}

void Enforcement::tick() {
  watch_scheduler();
  update_groups();
}

void Enforcement::watch_scheduler() {
  if (mode_ != Mode::enforced) return;
  const auto report = kernel_.report();
  if (report.kernel_state == "disabling") return;  // the kernel gives the reason when that is over
  const auto now = monotonic_ns();
  if (in_force_ && !report.attached) {
    const auto cause = report.last_exit ? report.last_exit->cause : MORPHEUS_EXIT_EJECTED;
    restarts_.ended(cause, now);
    if (cause == MORPHEUS_EXIT_EJECTED) ++ends_.ejections;
    log_end(report, restarts_, now);
  }
  in_force_ = report.attached;
  if (in_force_) return;
  canary_.reset();
  if (const auto due = restarts_.due_ns(); due && *due <= now) restart_scheduler(now);
}

void Enforcement::restart_scheduler(std::uint64_t now) {
  if (const auto again = attach_scheduler(); !again) {
    restarts_.ended(MORPHEUS_EXIT_EJECTED, now);
    log::error("cannot attach the scheduler again: {}", again.error().text());
    return;
  }
  restarts_.restarted(now);
  in_force_ = true;
  groups_due_ns_ = 0;  // a scheduler that was just attached knows no groups
  log::warn("attached the scheduler again");
}

void Enforcement::update_groups() {
  const auto now = monotonic_ns();
  const auto interval = kernel_.group_interval();
  if (!in_force_ || interval == 0 || now < groups_due_ns_) return;
  groups_due_ns_ = now + interval * kSecond;
  kernel_.set_groups(read_group_rules(kControlGroupRoot, config_.throttle.cgroups));
}

bool Enforcement::handle_alarm() {
  std::uint64_t ignored = 0;
  (void)!::read(alarm_.get(), &ignored, sizeof(ignored));
  if (!canary_ || !canary_->has_alarm()) return false;
  ++ends_.canary_alarms;
  (void)kernel_.set_mode(Mode::observer);
  canary_.reset();
  mode_ = Mode::observer;
  in_force_ = false;
  const std::uint64_t now = monotonic_ns();
  fallback_ = {.why = "the canary ended Enforced mode: normal threads got no CPU for " +
                      std::to_string(config_.canary.starved_ms) + " ms",
               .at_ns = now,
               .refused_until_ns = now + config_.canary.refuse_s * kSecond};
  log::error("{}; mode observer, Enforced is refused for {} s", fallback_->why,
             config_.canary.refuse_s);
  return true;
}

}  // namespace morpheus::daemon
