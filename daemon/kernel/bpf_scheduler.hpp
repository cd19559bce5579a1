// SPDX-License-Identifier: GPL-2.0-only
// The sched_ext half of the BPF object: attaches and detaches our scheduler, tells it about control
// groups and workers, and knows how the kernel last ended it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "daemon/kernel/bpf_groups.hpp"
#include "daemon/kernel/bpf_objects.hpp"
#include "daemon/kernel/ext_class.hpp"
#include "daemon/kernel/kernel_side.hpp"

struct morpheus_bpf;

namespace morpheus::daemon {

class BpfScheduler {
 public:
  BpfScheduler(Scope scope, BpfGroups groups) : scope_(scope), groups_(groups) {}

  /// Fits the object to the kernel, after it is opened and before it is loaded; borrowed until the
  /// next call. `is_wanted`: otherwise this half is not loaded.
  void prepare(morpheus_bpf& skeleton, bool is_wanted);
  /// After loading.
  [[nodiscard]] Result<void> start();
  /// Enforced mode cannot be had on this host, for this reason.
  void rule_out(std::string why) { ruled_out_ = std::move(why); }

  [[nodiscard]] Result<void> set_mode(Mode mode);
  void detach();
  [[nodiscard]] SchedulerReport report();
  /// See KernelSide.
  [[nodiscard]] std::function<void()> rescue() const;

  [[nodiscard]] unsigned group_interval() const;
  void set_groups(std::span<const GroupRule> rules);

  void add_worker(std::uint32_t slot, pid_t tid);
  void remove_worker(std::uint32_t slot) { workers_class_.forget(slot); }

 private:
  void leave_out();
  [[nodiscard]] Result<void> attach();
  void set_caches();
  /// Why Enforced mode cannot be had right now.
  [[nodiscard]] std::optional<std::string> blocker() const;
  void notice_end();

  Scope scope_;
  BpfGroups groups_;
  ExtClass workers_class_;
  morpheus_bpf* skeleton_ = nullptr;
  BpfLink link_;
  std::optional<std::string> ruled_out_;
  std::shared_ptr<const SchedulerExit> last_exit_;
};

}  // namespace morpheus::daemon
