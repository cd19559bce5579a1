// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/shared/idle_threads.hpp"

#include "sdk/src/sync/race_detector.hpp"

namespace morpheus::sdk {

namespace {

/// A lock that ThreadSanitizer knows of, because the vector's own functions do.
class NotedLock {
 public:
  explicit NotedLock(detail::spin_lock& lock) : lock_(lock) {
    lock_.lock();
    note_acquire(&lock_);
  }
  NotedLock(const NotedLock&) = delete;
  NotedLock& operator=(const NotedLock&) = delete;
  ~NotedLock() {
    note_release(&lock_);
    lock_.unlock();
  }

 private:
  detail::spin_lock& lock_;
};

}  // namespace

void IdleThreads::call_one() {
  if (!is_call_useful_.load(std::memory_order_seq_cst)) return;
  Sleeper* called = nullptr;
  {
    const NotedLock lock(lock_);
    if (asleep_.empty() || searching_ != 0) return;
    called = asleep_.back();
    asleep_.pop_back();
    ++searching_;
    update_call();
  }
  called->wake();
}

bool IdleThreads::is_any_searching() {
  const NotedLock lock(lock_);
  return searching_ != 0;
}

bool IdleThreads::begin_search() {
  const NotedLock lock(lock_);
  if (searching_ != 0) return false;
  ++searching_;
  update_call();
  return true;
}

void IdleThreads::end_search() {
  const NotedLock lock(lock_);
  --searching_;
  update_call();
}

void IdleThreads::add(Sleeper& thread, bool after_search) {
  const NotedLock lock(lock_);
  if (after_search) --searching_;
  asleep_.push_back(&thread);
  update_call();
}

bool IdleThreads::remove(Sleeper& thread) {
  const NotedLock lock(lock_);
  const auto removed = std::erase(asleep_, &thread);
  update_call();
  return removed != 0;
}

void IdleThreads::update_call() {
  is_call_useful_.store(!asleep_.empty() && searching_ == 0, std::memory_order_seq_cst);
}

}  // namespace morpheus::sdk
