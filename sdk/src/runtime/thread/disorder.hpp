// SPDX-License-Identifier: GPL-2.0-only
// The chances by which tests run jobs in another order; see runtime_options::shuffle_seed.
#pragma once

#include <cstdint>

namespace morpheus::sdk {

/// For one thread. The same seed and thread have the same chances.
class Disorder {
 public:
  Disorder(std::uint64_t seed, unsigned thread)
      : state_(seed == 0 ? 0 : (seed + thread) * 0x9e3779b97f4a7c15U | 1U) {}

  [[nodiscard]] bool is_on() const { return state_ != 0; }
  /// Only if it is on. Xorshift (Marsaglia 2003).
  [[nodiscard]] bool chance(unsigned one_in) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % one_in == 0;
  }

 private:
  std::uint64_t state_;
};

}  // namespace morpheus::sdk
