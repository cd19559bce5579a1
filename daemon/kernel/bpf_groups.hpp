// SPDX-License-Identifier: GPL-2.0-only
// Tells the scheduler what the operator says about control groups.
#pragma once

#include <span>

#include "daemon/kernel/control_groups.hpp"
#include "proto/events.h"
#include "proto/result.hpp"

struct morpheus_bpf;

namespace morpheus::daemon {

class BpfGroups {
 public:
  /// `calls_on_change`: the kernel calls cgroup_set_bandwidth when a bound changes (6.17+).
  explicit BpfGroups(bool calls_on_change) : calls_on_change_(calls_on_change) {}

  [[nodiscard]] bool kernel_calls_on_change() const { return calls_on_change_; }
  /// Fits the object to the kernel, after it is opened and before it is loaded; borrowed until the
  /// next call.
  void prepare(morpheus_bpf& skeleton);
  /// After loading.
  [[nodiscard]] Result<void> start();
  /// While no scheduler is attached: ends all penalties, with an event for each, and removes
  /// everything that would go out of date.
  void forget();
  /// All groups that have a rule now. `now_ns` is CLOCK_MONOTONIC.
  [[nodiscard]] Result<void> set(std::span<const GroupRule> rules, std::uint64_t now_ns);

 private:
  /// Returns whether the group has a penalty to serve.
  [[nodiscard]] Result<bool> update(morpheus_group_update group);

  bool calls_on_change_;
  morpheus_bpf* skeleton_ = nullptr;
};

}  // namespace morpheus::daemon
