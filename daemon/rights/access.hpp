// SPDX-License-Identifier: GPL-2.0-only
// Who may do what. The configuration gives rights to groups; root and the daemon's own user (who
// could kill it anyway) may do everything.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "daemon/config/config.hpp"
#include "daemon/rights/peer.hpp"

namespace morpheus::daemon {

enum class Right : std::uint8_t {
  attach,   ///< be a client, register own threads
  read,     ///< see status, clients, workers and events
  change,   ///< mode and tunables
  inspect,  ///< where in their code other users' processes are
};

struct AccessRules {
  uid_t daemon_uid = 0;
  /// Members may do everything; empty if there is no such group.
  std::optional<gid_t> admins;
  /// A right that only a group has; a group that does not exist has no members.
  struct Limited {
    std::optional<gid_t> group;
  };
  std::optional<Limited> attach{};
  std::optional<Limited> read{};

  /// Looks the configuration's groups up, and adds the names of those that do not exist to
  /// `missing`.
  [[nodiscard]] static AccessRules from(const Config& config, std::vector<std::string>& missing);
  [[nodiscard]] bool allow(const Peer& peer, Right right) const;
};

}  // namespace morpheus::daemon
