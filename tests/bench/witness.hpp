// SPDX-License-Identifier: GPL-2.0-only
// An observer of the benchmark that shares nothing with the scheduler under test: it sees context
// switches by itself and reads the threads' marks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tests/bench/variant.hpp"
#include "tests/bench/witness_marks.h"

namespace morpheus::bench {

struct Testimony {
  std::uint64_t critical_losses = 0;  ///< switches away from a runnable worker inside a section
  std::uint64_t passed_p99 = 0;  ///< workers' safe points between the probe's wakeup and its run
  std::uint64_t passed_p999 = 0;
};

class Witness {
 public:
  virtual ~Witness() = default;

  /// One that can observe `threads` threads, or none where the machine allows none.
  [[nodiscard]] static std::unique_ptr<Witness> create(std::size_t threads);

  /// Where the threads mark what they do: `threads` lines, shared with children that are forked
  /// later.
  [[nodiscard]] virtual morpheus_bench_mark* marks() = 0;
  /// Between the two, what is seen counts for `variant`; rounds of one variant add up.
  virtual void begin_round(Variant variant) = 0;
  virtual void end_round() = 0;
  [[nodiscard]] virtual Testimony testimony(Variant variant) const = 0;
};

}  // namespace morpheus::bench
