// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/rights/accounts.hpp"

#include <cassert>

namespace morpheus::daemon {
namespace {

struct Limit {
  const char* name;
  std::uint32_t ConfigLimits::* field;
};

struct Limits {
  Limit of_user, of_all;
  std::uint64_t unit;
};

constexpr std::array<Limits, kResources> kLimits{{
    {{"connections_per_uid", &ConfigLimits::connections_per_uid},
     {"connections", &ConfigLimits::connections},
     1},
    {{"workers_per_uid", &ConfigLimits::workers_per_uid}, {"workers", &ConfigLimits::workers}, 1},
    {{"memory_kib_per_uid", &ConfigLimits::memory_kib_per_uid},
     {"memory_kib", &ConfigLimits::memory_kib},
     1024},
    {{"requests_per_uid", &ConfigLimits::requests_per_uid},
     {"requests", &ConfigLimits::requests},
     1},
    {{"subscribers_per_uid", &ConfigLimits::subscribers_per_uid},
     {"subscribers", &ConfigLimits::subscribers},
     1},
}};

}  // namespace

Result<void> Accounts::check(uid_t uid, Resource resource, std::uint64_t amount) const {
  const auto& limits = kLimits[static_cast<std::size_t>(resource)];
  const std::uint32_t of_user = limits_.*limits.of_user.field;
  if (taken(uid, resource) + amount > of_user * limits.unit)
    return fail_quota({limits.of_user.name, of_user});
  // the kernel's table of workers has no room for more, not even for root
  if ((uid == 0 || uid == daemon_uid_) && resource != Resource::workers) return {};
  const std::uint32_t of_all = limits_.*limits.of_all.field;
  if (total(resource) + amount > of_all * limits.unit)
    return fail_quota({limits.of_all.name, of_all});
  return {};
}

void Accounts::take(uid_t uid, Resource resource, std::uint64_t amount) {
  const auto at = static_cast<std::size_t>(resource);
  users_[uid][at] += amount;
  total_[at] += amount;
}

void Accounts::give_back(uid_t uid, Resource resource, std::uint64_t amount) {
  if (amount == 0) return;
  const auto at = static_cast<std::size_t>(resource);
  const auto user = users_.find(uid);
  assert(user != users_.end() && user->second[at] >= amount);
  user->second[at] -= amount;
  total_[at] -= amount;
  if (user->second == Amounts{}) users_.erase(user);
}

std::uint64_t Accounts::taken(uid_t uid, Resource resource) const {
  const auto user = users_.find(uid);
  return user == users_.end() ? 0 : user->second[static_cast<std::size_t>(resource)];
}

Result<void> Charge::resize(std::uint64_t amount) {
  if (amount > amount_) {
    const std::uint64_t more = amount - amount_;
    if (auto checked = accounts_.check(uid_, resource_, more); !checked) return checked;
    accounts_.take(uid_, resource_, more);
  } else {
    accounts_.give_back(uid_, resource_, amount_ - amount);
  }
  amount_ = amount;
  return {};
}

}  // namespace morpheus::daemon
