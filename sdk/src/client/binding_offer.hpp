// SPDX-License-Identifier: GPL-2.0-only
// Where a worker is to look and write next, on its way from the registry to the worker's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "sdk/src/client/epoch.hpp"

namespace morpheus::sdk {

class BindingOffer {
 public:
  // --- The registry, on any thread
  void make(const Binding& binding) {
    const std::scoped_lock lock(lock_);
    offered_ = binding;
  }
  /// The oldest epoch whose runtime line the worker may still write to.
  [[nodiscard]] std::uint64_t epoch_in_use() const {
    return in_use_.load(std::memory_order_acquire);
  }

  // --- The worker's thread
  /// Calls `bind(binding)`, which calls note_in_use(), if the offer is for that epoch.
  template <class F>
  bool accept(std::uint64_t epoch, F bind) {
    // Held until in_use_ is stored: the registry unmaps a line once its epoch is in use no more,
    // and looks only after it has offered a later one.
    const std::scoped_lock lock(lock_);
    if (offered_.epoch != epoch) return false;
    bind(offered_);
    return true;
  }
  void note_in_use(std::uint64_t epoch) { in_use_.store(epoch, std::memory_order_release); }

 private:
  std::mutex lock_;
  Binding offered_;  // under lock_
  std::atomic<std::uint64_t> in_use_{0};
};

}  // namespace morpheus::sdk
