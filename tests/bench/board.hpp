// SPDX-License-Identifier: GPL-2.0-only
// Memory that the benchmark's two processes share: the parent starts and stops rounds on it, the
// load's threads write down what they did.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "tests/bench/variant.hpp"
#include "tests/witness/witness.h"

namespace morpheus::bench {

/// One worker's own line.
struct alignas(64) Tally {
  std::array<std::uint64_t, kVariants.size()> work{};
  std::array<std::uint64_t, kVariants.size()> yields{};
};

/// The phases of a round. A thread reports each phase that it has reached.
enum class Phase : std::uint32_t { idle, prepare, run, finish, quit };

class Board {
 public:
  /// In anonymous shared memory, for children that are forked later; never unmapped. `marks` may be
  /// a witness's; null: the board has its own. Throws std::bad_alloc.
  static Board* create(unsigned workers, unsigned seconds, witness_mark* marks);

  // The parent.
  /// All threads prepare for a round of `variant` and wait; returns when they do.
  template <class StillAlive>
  void prepare(Variant variant, StillAlive still_alive) {
    variant_ = variant;
    enter(Phase::prepare);
    await_all(still_alive);
  }
  void run() { enter(Phase::run); }
  template <class StillAlive>
  void finish(StillAlive still_alive) {
    enter(Phase::finish);
    await_all(still_alive);
  }
  void quit() { enter(Phase::quit); }

  // The load's threads.
  [[nodiscard]] Variant variant() const { return variant_; }
  [[nodiscard]] bool is_running() const {
    return phase_.load(std::memory_order_relaxed) == Phase::run;
  }
  [[nodiscard]] Phase await_other_than(Phase phase) const;
  void report() { reported_.fetch_add(1); }
  /// The probe was woken `ns` too late. More than one second's worth too many are dropped.
  void add_lateness(Variant variant, std::uint64_t ns);

  [[nodiscard]] unsigned workers() const { return workers_; }
  [[nodiscard]] Tally& tally(unsigned worker) { return tallies_[worker]; }
  [[nodiscard]] witness_mark& mark(unsigned thread) { return marks_[thread]; }
  [[nodiscard]] std::span<const std::uint64_t> lateness(Variant variant) const;

 private:
  Board() = default;
  void enter(Phase phase) {
    reported_ = 0;
    phase_ = phase;
  }
  template <class StillAlive>
  void await_all(StillAlive still_alive) const {
    while (reported_ < workers_ + 1) {
      still_alive();
      pause();
    }
  }
  static void pause();

  unsigned workers_ = 0;
  std::size_t capacity_ = 0;  // samples for each variant
  Tally* tallies_ = nullptr;
  witness_mark* marks_ = nullptr;
  std::uint64_t* samples_ = nullptr;
  std::array<std::size_t, kVariants.size()> taken_{};
  Variant variant_ = Variant::alone;
  alignas(64) std::atomic<Phase> phase_ = Phase::idle;
  alignas(64) std::atomic<std::uint32_t> reported_ = 0;
};

}  // namespace morpheus::bench
