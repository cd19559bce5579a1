// SPDX-License-Identifier: GPL-2.0-only
// The slow paths of the locks, and the barrier that spares their fast ones.
#include <morpheus/detail/biased_lock.hpp>
#include <morpheus/detail/scope_state.hpp>
#include <morpheus/detail/spin_lock.hpp>

#include "sdk/src/sync/futex.hpp"
#include "sdk/src/sync/spin.hpp"

namespace morpheus::sdk {

void barrier_on_all_threads() {
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return;
  // Other threads rely on it once it has worked: a filter of system calls has come too late.
  if (can_barrier_all_threads())
    detail::end_program("membarrier(2) no longer works: forbid it before the first runtime begins");
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace morpheus::sdk

namespace morpheus::detail {

using sdk::spin_until;

void spin_lock::wait() noexcept {
  do {
    spin_until([this] { return !is_held_.load(std::memory_order_relaxed); });
  } while (is_held_.exchange(true, std::memory_order_acquire));
}

void biased_lock::wait() noexcept {
  spin_until([this] {
    return !is_held_.load(std::memory_order_relaxed) &&
           !is_held_.exchange(true, std::memory_order_acquire);
  });
}

void biased_lock::settle() noexcept {
  runner* const favoured = favours_.load(std::memory_order_relaxed);
  if (favoured == nullptr && here->is_alone()) {
    inside_.store(here, std::memory_order_relaxed);
    favours_.store(here, std::memory_order_relaxed);
    is_held_.store(false, std::memory_order_release);
    return;
  }
  favours_.store(no_runner(), std::memory_order_release);
  if (favoured == nullptr) return;
  sdk::barrier_on_all_threads();
  // The favoured runner is inside, and seen here, or will see that it is favoured no more.
  spin_until([this] { return inside_.load(std::memory_order_acquire) == nullptr; });
}

}  // namespace morpheus::detail
