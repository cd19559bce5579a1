// SPDX-License-Identifier: GPL-2.0-only
// Enforced mode: the mode that the operator chose, and everything that keeps it in force or ends
// it. It attaches the scheduler, restarts one that the kernel ejected, sends it the rules of the
// control groups, and falls back to Observer mode when the canary raises the alarm.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "daemon/config/config.hpp"
#include "daemon/kernel/kernel_side.hpp"
#include "daemon/state/canary.hpp"
#include "daemon/state/restart_policy.hpp"
#include "proto/unique_fd.hpp"

namespace morpheus::daemon {

/// One thread.
class Enforcement {
 public:
  /// `kernel` is started; it and `config` outlive this.
  Enforcement(const Config& config, KernelSide& kernel);

  /// What the operator chose. Only report() says whether it is in force.
  [[nodiscard]] Mode mode() const { return mode_; }
  [[nodiscard]] Scope scope() const { return config_.scope; }
  /// On an error nothing has changed. Its text is a sentence for the operator.
  [[nodiscard]] Result<void> set_mode(Mode mode);

  /// The configuration has changed: takes over penalty, restarts and canary.
  void heed_config();

  /// Whether the scheduler was attached at the last look.
  [[nodiscard]] bool is_in_force() const { return in_force_; }
  /// What the kernel says, and what the canary did.
  [[nodiscard]] SchedulerReport report() const;
  /// Whether and when an ejected scheduler is attached again.
  [[nodiscard]] const RestartPolicy& restarts() const { return restarts_; }

  /// How often the scheduler ended without an order, since the daemon started.
  struct Ends {
    std::uint64_t ejections = 0, canary_alarms = 0;
  };
  [[nodiscard]] const Ends& ends() const { return ends_; }

  /// Once a second: notices that the scheduler ended, attaches it again when that is due, and
  /// updates the rules of the control groups.
  void tick();

  /// Becomes readable when the canary raises the alarm.
  [[nodiscard]] int alarm_fd() const { return alarm_.get(); }
  /// After an alarm: changes to Observer mode, refuses Enforced mode for a while, and returns true.
  /// Without an alarm it does nothing.
  bool handle_alarm();

 private:
  /// Why the canary ended Enforced mode, and until when the mode is refused.
  struct Fallback {
    std::string why;
    std::uint64_t at_ns, refused_until_ns;
  };

  [[nodiscard]] Result<void> attach_scheduler();
  [[nodiscard]] Result<void> start_canary();
  void look_for_canary_denial();
  [[nodiscard]] std::optional<std::string> refusal() const;
  void watch_scheduler();
  void restart_scheduler(std::uint64_t now);
  void update_groups();

  const Config& config_;
  KernelSide& kernel_;
  Mode mode_ = Mode::observer;
  bool in_force_ = false;
  RestartPolicy restarts_;
  std::uint64_t groups_due_ns_ = 0;
  UniqueFd alarm_;
  std::unique_ptr<Canary> canary_;  // while the scheduler is attached
  std::optional<Error> canary_denial_;
  std::optional<Fallback> fallback_;
  Ends ends_;
};

}  // namespace morpheus::daemon
