// SPDX-License-Identifier: GPL-2.0-only
// What to do when our scheduler ended without an order from here: wait longer each time, and give
// up after some ejections. Pure; the caller passes the time.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/events.h"

namespace morpheus::daemon {

class RestartPolicy {
 public:
  /// At most `limit` restarts after ejections: the first after `backoff_ns`, each further one after
  /// twice the time, but at most a minute.
  RestartPolicy(std::uint32_t limit, std::uint64_t backoff_ns)
      : limit_(limit), backoff_ns_(backoff_ns) {}

  /// For restarts from now on.
  void set_limits(std::uint32_t limit, std::uint64_t backoff_ns) {
    limit_ = limit;
    backoff_ns_ = backoff_ns;
  }
  /// Forgets earlier ejections: the operator attached or detached the scheduler.
  void reset() { *this = RestartPolicy(limit_, backoff_ns_); }
  /// The scheduler ended, or an attempt to restart it failed (then as EJECTED). After ten minutes
  /// of running it counts as sound again.
  void ended(morpheus_exit_cause cause, std::uint64_t now);
  /// The scheduler was attached again at `now`.
  void restarted(std::uint64_t now);

  [[nodiscard]] std::uint32_t ejections() const { return ejections_; }
  /// When to attach it again; nothing if never.
  [[nodiscard]] std::optional<std::uint64_t> due_ns() const { return due_ns_; }
  [[nodiscard]] bool has_given_up() const { return ejections_ > limit_; }

 private:
  std::uint32_t limit_;
  std::uint64_t backoff_ns_;
  std::uint32_t ejections_ = 0;
  std::uint64_t attached_ns_ = 0;
  std::optional<std::uint64_t> due_ns_;
};

}  // namespace morpheus::daemon
