// SPDX-License-Identifier: GPL-2.0-only
// futex(2) for threads of one process, and the barrier that one thread makes all others pass.
#pragma once

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

namespace morpheus::sdk {

/// Sleeps while `word` holds `value`, at most until `deadline_ns` (CLOCK_MONOTONIC; 0: for ever).
inline void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                       std::uint64_t deadline_ns = 0) {
  const timespec deadline{.tv_sec = static_cast<time_t>(deadline_ns / 1'000'000'000),
                          .tv_nsec = static_cast<long>(deadline_ns % 1'000'000'000)};
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, value,
            deadline_ns == 0 ? nullptr : &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
}

inline void futex_wake_one(const std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

/// Whether barrier_on_all_threads() works here; asks the kernel once.
inline bool can_barrier_all_threads() {
  static const bool can =
      ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return can;
}

/// Every thread of the process that runs passes a full memory barrier; one that does not run has
/// passed one when it lost its CPU. Where that does not work, only the calling thread does.
void barrier_on_all_threads();

}  // namespace morpheus::sdk
