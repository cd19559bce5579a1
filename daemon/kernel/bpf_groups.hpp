// SPDX-License-Identifier: GPL-2.0-only
// Tells the scheduler what the operator says of control groups.
#pragma once

#include <span>

#include "daemon/kernel/control_groups.hpp"
#include "proto/events.h"
#include "proto/result.hpp"

struct morpheus_bpf;

namespace morpheus::daemon {

class BpfGroups {
 public:
  /// `has_weights`: the kernel tells a scheduler of groups and their weights
  /// (CONFIG_EXT_GROUP_SCHED); `told_by_kernel`: it calls cgroup_set_bandwidth (6.17+) where a
  /// bound changes.
  BpfGroups(bool has_weights, bool told_by_kernel)
      : has_weights_(has_weights), told_by_kernel_(told_by_kernel) {}

  [[nodiscard]] bool told_by_kernel() const { return told_by_kernel_; }
  /// Fits the object to the kernel, after it is opened and before it is loaded; borrowed from then
  /// on.
  void prepare(morpheus_bpf& skeleton);
  /// After loading.
  [[nodiscard]] Result<void> start();
  /// While no scheduler is attached: nobody serves a penalty any more, which is told to who follows
  /// events, and what is known goes out of date.
  void forget();
  /// All groups that there is something to say about now. `now_ns` is CLOCK_MONOTONIC.
  [[nodiscard]] Result<void> set(std::span<const GroupRule> rules, std::uint64_t now_ns);

 private:
  /// Whether the group has a penalty to serve.
  [[nodiscard]] Result<bool> tell(morpheus_group_update update);

  bool has_weights_, told_by_kernel_;
  morpheus_bpf* skeleton_ = nullptr;
};

}  // namespace morpheus::daemon
