// SPDX-License-Identifier: GPL-2.0-only
// Random numbers that are the same on every machine: std's distributions are not.
#pragma once

#include <cstdint>

namespace morpheus::sim {

/// SplitMix64 (Steele, Lea, Flood 2014). Cheap to copy; every thread has its own, so that what a
/// thread does next does not depend on how it was scheduled.
class Rng {
 public:
  explicit Rng(std::uint64_t seed = 0) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// From [lo, hi].
  std::uint64_t between(std::uint64_t lo, std::uint64_t hi) { return lo + next() % (hi - lo + 1); }

  /// True once in `n`.
  bool one_in(std::uint64_t n) { return next() % n == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace morpheus::sim
