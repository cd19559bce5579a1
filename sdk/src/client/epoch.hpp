// SPDX-License-Identifier: GPL-2.0-only
// Epochs: the times between two changes of the memory that hints come through. A daemon that comes
// or goes begins a new epoch. All sequence numbers of an epoch lie above all earlier ones. So every
// copy of a safe point that was taken before differs from what it now looks at and leads to the
// slow path, where the owner thread moves to the new memory by itself.
#pragma once

#include <atomic>
#include <cstdint>

#include "proto/scb.h"

namespace morpheus::sdk {

/// Where a worker looks and writes during one epoch.
struct Binding {
  std::uint64_t epoch = 0;
  std::uint64_t base = 0;                       ///< the sequence number without a hint
  const morpheus_scb_kernel* kernel = nullptr;  ///< none: the daemon does not watch this worker
  morpheus_scb_runtime* runtime = nullptr;      ///< none: the worker's own line
};

class Epoch {
 public:
  /// The current epoch; odd while one ends and the next begins.
  [[nodiscard]] static std::uint64_t current() { return number_.load(std::memory_order_acquire); }
  [[nodiscard]] static bool is_settled(std::uint64_t number) { return (number & 1) == 0; }

  /// What a safe point looks at where there is no kernel line. Equals the epoch's base.
  [[nodiscard]] static constexpr std::uint64_t& idle_seq() { return idle_seq_; }
  [[nodiscard]] static std::uint64_t base() {
    return __atomic_load_n(&idle_seq_, __ATOMIC_ACQUIRE);
  }

  /// A base above every sequence number up to `highest`. The gap covers hints that a dying kernel
  /// side may still raise after `highest` was read. Bounded, because `highest` comes from memory
  /// that this process did not write, and the result must fit the protocol's 63 bits.
  [[nodiscard]] static std::uint64_t base_above(std::uint64_t highest) {
    constexpr std::uint64_t kGap = 1U << 20;
    constexpr std::uint64_t kBound = (std::uint64_t{1} << 62) - 1;
    return (highest & kBound) + kGap;
  }

  /// Between the two, owner threads acknowledge nothing. The caller holds the registry's lock.
  static void begin_change() { number_.fetch_add(1, std::memory_order_acq_rel); }
  static void end_change(std::uint64_t base) {
    __atomic_store_n(&idle_seq_, base, __ATOMIC_RELEASE);
    number_.fetch_add(1, std::memory_order_acq_rel);
  }

 private:
  static inline constinit std::atomic<std::uint64_t> number_{0};
  // Plain, for the C ABI's pointer; never 0, as unused lines are.
  static inline constinit std::uint64_t idle_seq_ = 1;
};

}  // namespace morpheus::sdk
