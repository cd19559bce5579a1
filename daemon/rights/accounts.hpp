// SPDX-License-Identifier: GPL-2.0-only
// How much of each resource each user has taken. A resource has a limit for one user and one for
// all users together. The second does not hold for root and the daemon's own user, so users
// together cannot lock the operator out.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>

#include "daemon/config/config.hpp"
#include "proto/result.hpp"

namespace morpheus::daemon {

enum class Resource : std::uint8_t {
  connections,
  workers,
  memory,       ///< bytes: shared lines, and what waits in the daemon in either direction
  requests,     ///< calls whose answers the peer has not read
  subscribers,  ///< of events
};
inline constexpr std::size_t kResources = 5;

/// One thread.
class Accounts {
 public:
  /// `limits` outlives this and may change; what was taken before stays taken.
  Accounts(const ConfigLimits& limits, uid_t daemon_uid)
      : limits_(limits), daemon_uid_(daemon_uid) {}

  /// Fails with the quota that `amount` more would exceed.
  [[nodiscard]] Result<void> check(uid_t uid, Resource resource, std::uint64_t amount) const;
  void take(uid_t uid, Resource resource, std::uint64_t amount);
  /// `amount` was taken before.
  void give_back(uid_t uid, Resource resource, std::uint64_t amount);

  [[nodiscard]] std::uint64_t taken(uid_t uid, Resource resource) const;
  [[nodiscard]] std::uint64_t total(Resource resource) const {
    return total_[static_cast<std::size_t>(resource)];
  }

 private:
  using Amounts = std::array<std::uint64_t, kResources>;
  const ConfigLimits& limits_;
  uid_t daemon_uid_;
  std::map<uid_t, Amounts> users_;  // only those who have taken something
  Amounts total_{};
};

/// An amount that a user has taken. It can change, and is given back at the end. The accounts
/// outlive it.
class Charge {
 public:
  Charge(Accounts& accounts, uid_t uid, Resource resource)
      : accounts_(accounts), uid_(uid), resource_(resource) {}
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  ~Charge() { accounts_.give_back(uid_, resource_, amount_); }

  /// Changes the amount. If that would exceed a quota, fails with it and nothing changes.
  [[nodiscard]] Result<void> resize(std::uint64_t amount);

 private:
  Accounts& accounts_;
  uid_t uid_;
  Resource resource_;
  std::uint64_t amount_ = 0;
};

}  // namespace morpheus::daemon
