// SPDX-License-Identifier: GPL-2.0-only
// The daemon's state and what changes it, without any socket: the services call it for clients and
// operators, the loop for time and kernel events.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/clients.hpp"
#include "daemon/config.hpp"
#include "daemon/event_stream.hpp"
#include "daemon/histogram.hpp"
#include "daemon/kernel_side.hpp"
#include "daemon/peer.hpp"
#include "daemon/pressure.hpp"
#include "daemon/shared_lines.hpp"

namespace morpheus::daemon {

class Core {
 public:
  /// `kernel` is started and outlives this.
  Core(const Config& config, KernelSide& kernel, AdminRule admin, GlobalBlock global);

  /// What the operator chose. That it is in force, only kernel.report() can say.
  [[nodiscard]] Mode mode() const { return mode_; }
  /// The error is a sentence for the operator, and nothing has changed.
  [[nodiscard]] Result<void> set_mode(Mode mode);

  [[nodiscard]] const morpheus_tunables& tunables() const { return tunables_; }
  /// All or nothing.
  [[nodiscard]] Result<void> set_tunables(const morpheus_tunables& tunables);

  /// Once a second: pressure, heartbeat, dead workers, an ejected scheduler.
  void tick();
  /// At each tick, when kernel.event_fd() is readable (the ring fills up), and before counts are shown.
  void drain_events();
  /// From the return on the subscriber misses nothing.
  [[nodiscard]] std::shared_ptr<Subscription> subscribe(bool runs);
  /// Tells clients that the daemon ends on purpose.
  void announce_stop();

  [[nodiscard]] bool is_admin(const Peer& peer) const { return admin_.allows(peer); }
  [[nodiscard]] const ConfigLimits& limits() const { return config_.limits; }
  [[nodiscard]] const Pressure& pressure() const { return pressure_; }
  [[nodiscard]] const LatencyHistogram& ack_latency() const { return ack_latency_; }
  [[nodiscard]] const morpheus_time_counts& ack_times() const { return ack_times_; }
  [[nodiscard]] std::uint64_t uptime_ns() const;
  [[nodiscard]] Clients& clients() { return clients_; }
  [[nodiscard]] EventStream& events() { return events_; }
  [[nodiscard]] KernelSide& kernel() { return kernel_; }
  [[nodiscard]] const GlobalBlock& global() const { return global_; }

 private:
  void on_event(const morpheus_event& event, EventDetail wanted);
  void update_global();

  const Config& config_;
  KernelSide& kernel_;
  AdminRule admin_;
  GlobalBlock global_;
  Clients clients_;
  EventStream events_;
  LatencyHistogram ack_latency_;
  morpheus_time_counts ack_times_{};
  Pressure pressure_;
  morpheus_tunables tunables_;
  Mode mode_ = Mode::observer;
  bool in_force_ = true;
  std::uint64_t started_ns_;
};

/// An event as io.morpheus.Control shows it; `tid` 0 if the worker is gone. Pure.
[[nodiscard]] nlohmann::json to_json(const morpheus_event& event, pid_t tid);

}  // namespace morpheus::daemon
