// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/shared/pool_lanes.hpp"

#include <stdexcept>

namespace morpheus::sdk {

PoolLane& PoolLanes::add_group(const group_options& options) {
  const std::scoped_lock lock(groups_lock_);
  for (unsigned number = PoolLane::kFirstGroup; number < lanes_.size(); ++number) {
    if (lanes_[number]) continue;
    lanes_[number] = std::make_unique<PoolLane>(pool_, number, options.shares, options.name);
    are_many_.store(true, std::memory_order_relaxed);
    return *lanes_[number];
  }
  throw std::length_error("a runtime has at most 14 groups");
}

}  // namespace morpheus::sdk
