// SPDX-License-Identifier: GPL-2.0-only
// The daemon's state and what changes it, without any socket: the services call it for clients and
// operators, the loop for time and kernel events.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/config/config.hpp"
#include "daemon/kernel/kernel_side.hpp"
#include "daemon/kernel/pressure.hpp"
#include "daemon/kernel/shared_lines.hpp"
#include "daemon/rights/access.hpp"
#include "daemon/rights/accounts.hpp"
#include "daemon/rights/peer.hpp"
#include "daemon/state/canary.hpp"
#include "daemon/state/clients.hpp"
#include "daemon/state/event_stream.hpp"
#include "daemon/state/histogram.hpp"
#include "daemon/state/restart_policy.hpp"

namespace morpheus::daemon {

class Core {
 public:
  /// `kernel` is started; it and `config` outlive this.
  Core(const Config& config, KernelSide& kernel, AccessRules access, GlobalBlock global);

  /// What the operator chose. That it is in force, only kernel.report() can say.
  [[nodiscard]] Mode mode() const { return mode_; }
  [[nodiscard]] Scope scope() const { return config_.scope; }
  /// The error is a sentence for the operator, and nothing has changed.
  [[nodiscard]] Result<void> set_mode(Mode mode);

  [[nodiscard]] const morpheus_tunables& tunables() const { return tunables_; }
  /// All or nothing.
  [[nodiscard]] Result<void> set_tunables(const morpheus_tunables& tunables);

  /// Once a second: pressure, heartbeat, dead workers, an ejected scheduler.
  void tick();
  /// At each tick, when kernel.event_fd() is readable (the ring fills up), and before counts are
  /// shown.
  void drain_events();
  /// From the return on the subscriber misses nothing.
  [[nodiscard]] tl::expected<std::shared_ptr<Subscription>, QuotaError> subscribe(uid_t uid,
                                                                                  bool runs);
  /// Becomes readable when the canary raises the alarm.
  [[nodiscard]] int alarm_fd() const { return alarm_.get(); }
  /// After an alarm: Observer mode, and no Enforced mode for a while. Otherwise nothing.
  void answer_alarm();
  /// Tells clients that the daemon ends on purpose.
  void announce_stop();

  [[nodiscard]] bool allows(const Peer& peer, Right right) const {
    return access_.allow(peer, right);
  }
  void set_access(AccessRules access) { access_ = access; }
  [[nodiscard]] Accounts& accounts() { return accounts_; }
  /// What the kernel says, and what the canary does.
  [[nodiscard]] SchedulerReport scheduler_report();
  [[nodiscard]] const ConfigLimits& limits() const { return config_.limits; }
  [[nodiscard]] const Pressure& pressure() const { return pressure_; }
  [[nodiscard]] const LatencyHistogram& ack_latency() const { return ack_latency_; }
  [[nodiscard]] const morpheus_time_counts& ack_times() const { return ack_times_; }
  [[nodiscard]] std::uint64_t uptime_ns() const;
  /// Whether and when an ejected scheduler comes back.
  [[nodiscard]] const RestartPolicy& restarts() const { return restarts_; }
  [[nodiscard]] Clients& clients() { return clients_; }
  [[nodiscard]] EventStream& events() { return events_; }
  [[nodiscard]] KernelSide& kernel() { return kernel_; }
  [[nodiscard]] const GlobalBlock& global() const { return global_; }

 private:
  void on_event(const morpheus_event& event, EventDetail wanted);
  void watch_scheduler();
  void tell_of_groups();
  void update_global();
  [[nodiscard]] Result<void> attach_scheduler();
  [[nodiscard]] std::optional<std::string> refusal() const;

  const Config& config_;
  KernelSide& kernel_;
  AccessRules access_;
  GlobalBlock global_;
  Accounts accounts_;
  Clients clients_;
  EventStream events_;
  LatencyHistogram ack_latency_;
  morpheus_time_counts ack_times_{};
  Pressure pressure_;
  morpheus_tunables tunables_;
  Mode mode_ = Mode::observer;
  bool in_force_ = false;  // the scheduler was attached when last looked at
  RestartPolicy restarts_;
  std::uint64_t groups_due_ns_ = 0;
  std::uint64_t started_ns_;
  UniqueFd alarm_;
  std::unique_ptr<Canary> canary_;       // while the scheduler is attached
  std::optional<std::string> fallback_;  // why the canary ended Enforced mode
  std::uint64_t fallback_ns_ = 0;        // and when
  std::uint64_t refused_until_ns_ = 0;
};

}  // namespace morpheus::daemon
