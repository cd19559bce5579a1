// SPDX-License-Identifier: GPL-2.0-only
// A lock for a few instructions that costs plain stores while only one thread of a runtime uses it:
// a biased lock, revoked by a barrier on all threads (membarrier(2); after Dice, Moir, Scherer,
// "Quickly reacquirable locks", 2003). A revocation takes microseconds, so only a thread that is
// alone in its runtime is favoured.
#pragma once

#include <morpheus/detail/runner.hpp>

#include <atomic>

namespace morpheus::detail {

class biased_lock {
 public:
  void lock() noexcept {
    runner* const me = here;
    if (MORPHEUS_LIKELY(favours_.load(std::memory_order_relaxed) == me)) {
      inside_.store(me, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
      // A thread that revokes sees the store, or is seen here.
      if (MORPHEUS_LIKELY(favours_.load(std::memory_order_acquire) == me)) return;
      inside_.store(nullptr, std::memory_order_release);
    }
    if (!MORPHEUS_LIKELY(!is_held_.exchange(true, std::memory_order_acquire))) wait();
    if (!MORPHEUS_LIKELY(favours_.load(std::memory_order_relaxed) == no_runner())) settle();
    MORPHEUS_NOTE_ACQUIRE(&is_held_);
    MORPHEUS_NOTE_ACQUIRE(&inside_);
  }
  void unlock() noexcept {
    if (inside_.load(std::memory_order_relaxed) == here)
      inside_.store(nullptr, std::memory_order_release);
    else
      is_held_.store(false, std::memory_order_release);
  }
  /// Where those who held it order what they did, for ThreadSanitizer.
  template <class F>
  void each_order(F note) noexcept {
    note(&is_held_);
    note(&inside_);
  }

 private:
  static runner* no_runner() noexcept { return reinterpret_cast<runner*>(1); }

  MORPHEUS_API MORPHEUS_COLD void wait() noexcept;
  /// Holds the lock, which was not used before, or which favours another thread.
  MORPHEUS_API MORPHEUS_COLD void settle() noexcept;

  std::atomic<runner*> favours_{nullptr};  ///< null: not decided; no_runner(): for good
  std::atomic<runner*> inside_{nullptr};   ///< the favoured runner, while it holds the lock
  std::atomic<bool> is_held_{false};
};

}  // namespace morpheus::detail
