// SPDX-License-Identifier: GPL-2.0-only
// What the independent witness saw, added up for each variant of the load.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "tests/bench/variant.hpp"
#include "tests/witness/witness.hpp"

namespace morpheus::bench {

/// The probe's entry among the witness's marks; workers follow it.
inline constexpr unsigned kProbe = 0;

struct Testimony {
  std::uint64_t critical_losses = 0;  ///< switches away from a runnable worker inside a section,
                                      ///< but for those to real-time threads
  std::uint64_t passed_p99 = 0;       ///< workers' safe points between the probe's wakeup and its run
  std::uint64_t passed_p999 = 0;
};

class WitnessStand {
 public:
  /// Watches a probe and `workers` workers; nothing where tracing programs cannot be loaded.
  [[nodiscard]] static std::unique_ptr<WitnessStand> open(unsigned workers);

  /// Where the threads mark what they do, shared with children that are forked later.
  [[nodiscard]] witness_mark* marks() { return witness_->marks().data(); }
  /// Between the two, what is seen counts for `variant`; rounds of one variant add up.
  void begin_round(Variant variant);
  void end_round();
  [[nodiscard]] Testimony testimony(Variant variant) const;

 private:
  using Passed = std::array<std::uint64_t, WITNESS_PASSED_MAX>;
  struct Count {
    std::uint64_t losses = 0;
    Passed passed{};
  };
  WitnessStand(std::unique_ptr<test::Witness> witness, unsigned workers);
  [[nodiscard]] Count now() const;

  std::unique_ptr<test::Witness> witness_;
  unsigned workers_;
  Variant variant_{};
  Count at_begin_;
  std::array<Count, kVariants.size()> counts_{};
};

}  // namespace morpheus::bench
