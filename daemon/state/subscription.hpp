// SPDX-License-Identifier: GPL-2.0-only
// Where the further replies of a call with `more` come from: a bounded queue of what happened.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "daemon/rights/accounts.hpp"

namespace morpheus::daemon {

class Subscription {
 public:
  virtual ~Subscription() = default;

  /// The parameters of the next reply: up to `most` of what is queued.
  [[nodiscard]] virtual nlohmann::json take(std::size_t most) = 0;
  /// Nothing to reply.
  [[nodiscard]] virtual bool empty() const = 0;

  /// Called after something was queued.
  std::function<void()> wake;
  /// The subscriber's share of its user's quota.
  std::unique_ptr<Charge> charge;
};

}  // namespace morpheus::daemon
