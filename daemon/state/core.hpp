// SPDX-License-Identifier: GPL-2.0-only
// The daemon's state and what changes it, without any socket. The services call it for clients and
// operators, the loop calls it for time and kernel events.
#pragma once

#include <cstdint>

#include "daemon/config/config.hpp"
#include "daemon/kernel/kernel_side.hpp"
#include "daemon/kernel/pressure.hpp"
#include "daemon/kernel/shared_lines.hpp"
#include "daemon/rights/access.hpp"
#include "daemon/rights/accounts.hpp"
#include "daemon/rights/peer.hpp"
#include "daemon/state/clients.hpp"
#include "daemon/state/enforcement.hpp"
#include "daemon/state/kernel_events.hpp"

namespace morpheus::daemon {

class Core {
 public:
  /// `kernel` is started; it and `config` outlive this.
  Core(const Config& config, KernelSide& kernel, AccessRules access, GlobalBlock global);

  /// On an error nothing has changed. Its text is a sentence for the operator.
  [[nodiscard]] Result<void> set_mode(Mode mode);
  /// When enforcement().alarm_fd() is readable. Does nothing without an alarm.
  void handle_alarm();
  [[nodiscard]] const Enforcement& enforcement() const { return enforcement_; }

  [[nodiscard]] const morpheus_tunables& tunables() const { return tunables_; }
  /// All or nothing.
  [[nodiscard]] Result<void> set_tunables(const morpheus_tunables& tunables);

  /// Once a second: events, pressure, dead workers, an ejected scheduler, the heartbeat.
  void tick();
  /// Sets the heartbeat to 0, by which clients see that the daemon stops on purpose.
  void announce_stop();

  [[nodiscard]] bool allows(const Peer& peer, Right right) const {
    return access_.allow(peer, right);
  }
  /// The configuration has changed; mode and tunables have setters of their own.
  void heed_config(AccessRules access);

  /// A call or a connection was refused.
  void count_refusal() { ++refusals_; }
  [[nodiscard]] std::uint64_t refusals() const { return refusals_; }

  [[nodiscard]] const ConfigLimits& limits() const { return config_.limits; }
  [[nodiscard]] const Pressure& pressure() const { return pressure_; }
  [[nodiscard]] const GlobalBlock& global() const { return global_; }
  [[nodiscard]] std::uint64_t uptime_ns() const;
  [[nodiscard]] Accounts& accounts() { return accounts_; }
  [[nodiscard]] Clients& clients() { return clients_; }
  [[nodiscard]] KernelEvents& events() { return events_; }
  [[nodiscard]] KernelSide& kernel() { return kernel_; }

 private:
  void update_global();

  const Config& config_;
  KernelSide& kernel_;
  AccessRules access_;
  GlobalBlock global_;
  Accounts accounts_;
  Clients clients_;
  KernelEvents events_;
  Enforcement enforcement_;
  morpheus_tunables tunables_;
  Pressure pressure_;
  std::uint64_t started_ns_;
  std::uint64_t refusals_ = 0;
};

}  // namespace morpheus::daemon
