// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/bpf_groups.hpp"

#include <atomic>
#include <set>

#include "daemon/kernel/bpf_objects.hpp"
#include "daemon/log.hpp"
#include "morpheus.skel.h"

namespace morpheus::daemon {
namespace {

std::vector<std::uint64_t> keys_of(const bpf_map* groups) {
  std::vector<std::uint64_t> ids;
  std::uint64_t previous = 0, id = 0;
  while (bpf_map__get_next_key(groups, ids.empty() ? nullptr : &previous, &id, sizeof(id)) == 0) {
    ids.push_back(id);
    previous = id;
  }
  return ids;
}

}  // namespace

void BpfGroups::prepare(morpheus_bpf& skeleton) {
  skeleton_ = &skeleton;
  if (calls_on_change_) return;
  skeleton.struct_ops.morpheus_ops->cgroup_set_bandwidth = nullptr;
  (void)bpf_program__set_autoload(skeleton.progs.morpheus_cgroup_set_bandwidth, false);
}

Result<void> BpfGroups::start() {
  const auto run =
      run_program(skeleton_->progs.prepare_parking, "prepare the bounds of control groups");
  if (!run) return tl::unexpected(run.error());
  return {};
}

void BpfGroups::forget() {
  for (auto id : keys_of(skeleton_->maps.groups))
    if (const auto run = run_program(skeleton_->progs.end_penalty, "run end_penalty", id); !run)
      log::warn("no event reports the end of a penalty: {}", run.error().text());
  auto* groups = skeleton_->maps.groups;
  for (const auto id : keys_of(groups)) (void)bpf_map__delete_elem(groups, &id, sizeof(id), 0);
  skeleton_->bss->nr_bounded = 0;
  skeleton_->bss->penalties_until_ns = 0;
}

Result<void> BpfGroups::set(std::span<const GroupRule> rules, std::uint64_t now_ns) {
  std::set<std::uint64_t> wanted;
  for (const auto& rule : rules) {
    wanted.insert(rule.id);
    const auto updated = update({rule.id, rule.bound.quota_ns, rule.bound.period_ns,
                                 rule.may_be_throttled, calls_on_change_});
    if (!updated) return tl::unexpected(updated.error());
  }
  for (const auto id : keys_of(skeleton_->maps.groups)) {
    if (wanted.contains(id)) continue;
    const auto serves_penalty = update({id, 0, 0, 0, 0});
    if (!serves_penalty) return tl::unexpected(serves_penalty.error());
    if (!*serves_penalty) (void)bpf_map__delete_elem(skeleton_->maps.groups, &id, sizeof(id), 0);
  }
  std::atomic_ref until(skeleton_->bss->penalties_until_ns);
  if (auto last = until.load(); last < now_ns) until.compare_exchange_strong(last, 0);
  return {};
}

Result<bool> BpfGroups::update(morpheus_group_update group) {
  const auto run =
      run_program(skeleton_->progs.set_group, "tell the scheduler about a control group", group);
  if (!run) return tl::unexpected(run.error());
  return *run > 0;
}

}  // namespace morpheus::daemon
