// SPDX-License-Identifier: GPL-2.0-only
// The kernel's events, from the ring to everything that uses them: latencies of acknowledgements
// are measured, workers whose threads exited are removed, and subscribers get the rest.
#pragma once

#include <cstdint>
#include <memory>

#include "daemon/config/config.hpp"
#include "daemon/kernel/kernel_side.hpp"
#include "daemon/rights/accounts.hpp"
#include "daemon/state/blame.hpp"
#include "daemon/state/clients.hpp"
#include "daemon/state/event_stream.hpp"
#include "daemon/state/histogram.hpp"

namespace morpheus::daemon {

class KernelEvents {
 public:
  /// All of them outlive this.
  KernelEvents(KernelSide& kernel, Clients& clients, const ConfigLimits& limits, Accounts& accounts)
      : kernel_(kernel),
        clients_(clients),
        limits_(limits),
        accounts_(accounts),
        blame_(kernel, clients) {}

  /// Call it when kernel.event_fd() is readable (the ring fills up), once a second, and before
  /// counts are shown.
  void drain();
  /// From the return on the subscriber misses nothing. Fails if a quota would be exceeded.
  [[nodiscard]] Result<std::shared_ptr<Subscription>> subscribe(uid_t uid, bool runs);
  /// The same for samples of workers that keep threads waiting. Fails, too, if the kernel refuses.
  [[nodiscard]] Result<std::shared_ptr<Subscription>> watch_blame(BlameViewer viewer);
  [[nodiscard]] EventStream& stream() { return stream_; }

  /// From hint to acknowledgement, as percentiles and as counts by time.
  [[nodiscard]] const LatencyHistogram& ack_latency() const { return ack_latency_; }
  [[nodiscard]] const morpheus_time_counts& ack_times() const { return ack_times_; }

 private:
  [[nodiscard]] Result<std::unique_ptr<Charge>> charge_subscriber(uid_t uid);
  void on_event(const morpheus_event& event, EventDetail wanted);

  KernelSide& kernel_;
  Clients& clients_;
  const ConfigLimits& limits_;
  Accounts& accounts_;
  EventStream stream_;
  Blame blame_;
  LatencyHistogram ack_latency_;
  morpheus_time_counts ack_times_{};
};

}  // namespace morpheus::daemon
