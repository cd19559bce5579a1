// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/rights/access.hpp"

#include <grp.h>
#include <unistd.h>

#include <algorithm>

namespace morpheus::daemon {
namespace {

std::optional<gid_t> find_group(const std::string& name, std::vector<std::string>& missing) {
  if (const struct ::group* found = ::getgrnam(name.c_str())) return found->gr_gid;
  missing.push_back(name);
  return std::nullopt;
}

bool is_member(const Peer& peer, std::optional<gid_t> group) {
  return group &&
         (peer.gid == *group || std::ranges::find(peer.groups, *group) != peer.groups.end());
}

}  // namespace

AccessRules AccessRules::from(const Config& config, std::vector<std::string>& missing) {
  AccessRules rules{.daemon_uid = ::geteuid(), .admins = find_group(config.admin_group, missing)};
  if (!config.attach_group.empty())
    rules.attach = Limited{find_group(config.attach_group, missing)};
  if (!config.read_group.empty()) rules.read = Limited{find_group(config.read_group, missing)};
  return rules;
}

bool AccessRules::allow(const Peer& peer, Right right) const {
  if (peer.uid == 0 || peer.uid == daemon_uid || is_member(peer, admins)) return true;
  if (right == Right::change || right == Right::inspect) return false;
  const auto& limited = right == Right::attach ? attach : read;
  return !limited || is_member(peer, limited->group);
}

}  // namespace morpheus::daemon
