// SPDX-License-Identifier: GPL-2.0-only
// Jobs that only one thread of a runtime may run, on their way to it from other threads.
#pragma once

#include <morpheus/detail/job.hpp>
#include <morpheus/detail/spin_lock.hpp>

#include <atomic>
#include <mutex>

#include "sdk/src/runtime/shared/sleeper.hpp"

namespace morpheus::sdk {

/// Any thread; take() on the owner.
class Inbox {
 public:
  explicit Inbox(Sleeper& owner) : owner_(owner) {}

  /// Queues a job and wakes the owner.
  void post(detail::job* ready) {
    {
      const std::scoped_lock lock(lock_);
      jobs_.push(ready);
      has_jobs_.store(true, std::memory_order_seq_cst);
    }
    owner_.wake();
  }
  /// Sees every job that was posted before wake() could see the owner asleep.
  [[nodiscard]] bool has_jobs() const { return has_jobs_.load(std::memory_order_seq_cst); }
  [[nodiscard]] bool seems_to_have_jobs() const {
    return has_jobs_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] detail::job_list take() {
    const std::scoped_lock lock(lock_);
    has_jobs_.store(false, std::memory_order_relaxed);
    return jobs_.take();
  }

 private:
  Sleeper& owner_;
  detail::spin_lock lock_;
  detail::job_list jobs_;
  std::atomic<bool> has_jobs_{false};
};

}  // namespace morpheus::sdk
