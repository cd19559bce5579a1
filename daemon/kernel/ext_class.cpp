// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/ext_class.hpp"

#include <sched.h>

#include <cerrno>
#include <cstring>

#include "daemon/log.hpp"

namespace morpheus::daemon {
namespace {

constexpr int kSchedExt = 7;  // SCHED_EXT in the kernel's include/uapi/linux/sched.h
constexpr int kNotMoved = -1;

/// The nice value stays: the kernel keeps it where a policy has one.
bool set_policy(pid_t tid, int policy) {
  const sched_param none{};
  return ::sched_setscheduler(tid, policy, &none) == 0;
}

}  // namespace

void ExtClass::add(std::uint32_t slot, pid_t tid) {
  auto& member = members_[slot] = {tid, kNotMoved};
  // an earlier daemon that was killed may have left it in the class
  if (::sched_getscheduler(tid) == kSchedExt) member.before = SCHED_OTHER;
  if (in_force_)
    move(member);
  else
    put_back(member);
}

void ExtClass::forget(std::uint32_t slot) {
  const auto found = members_.find(slot);
  if (found == members_.end()) return;
  put_back(found->second);
  members_.erase(found);
}

void ExtClass::set(bool in_force) {
  in_force_ = in_force;
  for (auto& [slot, member] : members_) in_force ? move(member) : put_back(member);
}

void ExtClass::move(Member& member) {
  const int policy = ::sched_getscheduler(member.tid);
  const bool ordinary = policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
  if (!ordinary) return;
  if (set_policy(member.tid, kSchedExt))
    member.before = policy;
  else if (errno != ESRCH)
    log::warn("cannot give thread {} to the scheduler: {}; scope \"workers\" needs CAP_SYS_NICE",
              member.tid, std::strerror(errno));
}

void ExtClass::put_back(Member& member) {
  // it may have chosen another policy meanwhile, and the number may be another thread's by now
  if (member.before != kNotMoved && ::sched_getscheduler(member.tid) == kSchedExt)
    (void)set_policy(member.tid, member.before);
  member.before = kNotMoved;
}

}  // namespace morpheus::daemon
