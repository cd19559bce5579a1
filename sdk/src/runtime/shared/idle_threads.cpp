// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/shared/idle_threads.hpp"

#include <mutex>

namespace morpheus::sdk {

void IdleThreads::call_one() {
  if (!is_call_useful_.load(std::memory_order_seq_cst)) return;
  Sleeper* called = nullptr;
  {
    const std::scoped_lock lock(lock_);
    if (asleep_.empty() || searching_ != 0) return;
    called = asleep_.back();
    asleep_.pop_back();
    ++searching_;
    update_call();
  }
  called->wake();
}

bool IdleThreads::is_any_searching() {
  const std::scoped_lock lock(lock_);
  return searching_ != 0;
}

bool IdleThreads::begin_search() {
  const std::scoped_lock lock(lock_);
  if (searching_ != 0) return false;
  ++searching_;
  update_call();
  return true;
}

void IdleThreads::end_search() {
  const std::scoped_lock lock(lock_);
  --searching_;
  update_call();
}

void IdleThreads::add(Sleeper& thread, bool after_search) {
  const std::scoped_lock lock(lock_);
  if (after_search) --searching_;
  asleep_.push_back(&thread);
  update_call();
}

bool IdleThreads::remove(Sleeper& thread) {
  const std::scoped_lock lock(lock_);
  const auto removed = std::erase(asleep_, &thread);
  update_call();
  return removed != 0;
}

void IdleThreads::update_call() {
  is_call_useful_.store(!asleep_.empty() && searching_ == 0, std::memory_order_seq_cst);
}

}  // namespace morpheus::sdk
