// SPDX-License-Identifier: GPL-2.0-only
// What the independent witness saw of the contention load, added up for each column of the board.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/witness/witness.hpp"

namespace morpheus::bench {

/// The probe's entry among the witness's marks; workers follow it.
inline constexpr unsigned kProbe = 0;

struct Testimony {
  std::uint64_t critical_losses = 0;  ///< switches away from a runnable worker inside a section, to
                                      ///< a thread of its own class
  std::uint64_t losses_to_realtime = 0;  ///< the same to real-time and deadline threads
  std::uint64_t losses_to_stop = 0;      ///< the same to the kernel's stopper
  std::uint64_t passed_p99 = 0;  ///< workers' safe points between the probe's wakeup and its run
  std::uint64_t passed_p999 = 0;
};

class WitnessStand {
 public:
  /// Watches a probe and `workers` workers; nothing where tracing programs cannot be loaded.
  [[nodiscard]] static std::unique_ptr<WitnessStand> open(unsigned workers, std::size_t columns);

  /// Where the threads mark what they do, shared with children that are forked later.
  [[nodiscard]] witness_mark* marks() { return witness_->marks().data(); }
  /// Between the two, what is seen counts for `column`; rounds of one column add up.
  void begin_round(std::size_t column);
  void end_round();
  [[nodiscard]] Testimony testimony(std::size_t column) const;

 private:
  using Passed = std::array<std::uint64_t, WITNESS_PASSED_MAX>;
  struct Count {
    std::uint64_t losses = 0;
    std::uint64_t to_realtime = 0;
    std::uint64_t to_stop = 0;
    Passed passed{};
  };
  WitnessStand(std::unique_ptr<test::Witness> witness, unsigned workers, std::size_t columns);
  [[nodiscard]] Count now() const;

  std::unique_ptr<test::Witness> witness_;
  unsigned workers_;
  std::size_t column_ = 0;
  Count at_begin_;
  std::vector<Count> counts_;
};

}  // namespace morpheus::bench
