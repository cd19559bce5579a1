// SPDX-License-Identifier: GPL-2.0-only
// Memory that the benchmark's two processes share: the parent starts and stops rounds on it, the
// load's threads write down what they did.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "tests/bench/contention/variant.hpp"
#include "tests/witness/witness.h"

namespace morpheus::bench {

/// One worker's own line, of one column.
struct alignas(64) Tally {
  std::uint64_t work = 0;
  std::uint64_t yields = 0;
};

/// One round's place in the results, and how it is played. Rounds of the same column add up.
struct Round {
  std::size_t column = 0;
  AtSafePoint at_safe_point = AtSafePoint::nothing;
  bool with_probe = true;
};

/// The phases of a round. A thread reports each phase that it has reached.
enum class Phase : std::uint32_t { idle, prepare, run, finish, quit };

class Board {
 public:
  /// In anonymous shared memory, for children that are forked later; never unmapped. `seconds` is
  /// what the rounds of one column last together. `marks` may be a witness's; null: the board has
  /// its own. Throws std::bad_alloc.
  static Board* create(unsigned workers, std::size_t columns, unsigned seconds,
                       witness_mark* marks);

  // The parent.
  /// All threads prepare for `round` and wait; returns when they do.
  template <class StillAlive>
  void prepare(Round round, StillAlive still_alive) {
    round_ = round;
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
  [[nodiscard]] Round round() const { return round_; }
  [[nodiscard]] bool is_running() const {
    return phase_.load(std::memory_order_relaxed) == Phase::run;
  }
  [[nodiscard]] Phase await_other_than(Phase phase) const;
  void report() { reported_.fetch_add(1); }
  /// The probe was woken `ns` too late. More than one second's worth too many are dropped.
  void add_lateness(std::size_t column, std::uint64_t ns);

  [[nodiscard]] unsigned workers() const { return workers_; }
  [[nodiscard]] Tally& tally(unsigned worker, std::size_t column) {
    return tallies_[worker * columns_ + column];
  }
  /// Of all workers.
  [[nodiscard]] Tally total(std::size_t column);
  [[nodiscard]] witness_mark& mark(unsigned thread) { return marks_[thread]; }
  [[nodiscard]] std::span<const std::uint64_t> lateness(std::size_t column) const;

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
  std::size_t columns_ = 0;
  std::size_t capacity_ = 0;  // samples of each column
  Tally* tallies_ = nullptr;
  witness_mark* marks_ = nullptr;
  std::uint64_t* samples_ = nullptr;
  std::size_t* taken_ = nullptr;
  Round round_;
  alignas(64) std::atomic<Phase> phase_ = Phase::idle;
  alignas(64) std::atomic<std::uint32_t> reported_ = 0;
};

}  // namespace morpheus::bench
