// SPDX-License-Identifier: GPL-2.0-only
// Work that takes a known CPU time and touches no memory.
#pragma once

#include "subject.hpp"

namespace bench {

/// One step of a loop of about 20 instructions.
inline std::uint64_t step(std::uint64_t x) {
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return x;
}

[[gnu::noinline]] inline std::uint64_t steps(std::size_t n, std::uint64_t x) {
  for (; n > 0; --n) x = step(x);
  return x;
}

/// A piece of work of the given length, counted in steps when made: it takes CPU time, not time on the clock.
class Burn {
 public:
  explicit Burn(std::chrono::microseconds length) {
    constexpr std::size_t kProbe = 100'000;
    double best = 1;
    for (int i = 0; i < 5; ++i) {
      const auto start = Clock::now();
      keep(steps(kProbe, keep(1)));
      best = std::min(best, seconds_since(start));
    }
    steps_ = static_cast<std::size_t>(std::chrono::duration<double>(length).count() / best * kProbe);
  }
  void operator()() const { keep(steps(steps_, keep(1))); }

 private:
  /// A value of which the compiler knows nothing, and which it takes to be used.
  static std::uint64_t keep(std::uint64_t value) {
    asm volatile("" : "+r"(value));
    return value;
  }

  std::size_t steps_;
};

inline constexpr std::chrono::microseconds kHogTime{20'000}, kBetweenSafePoints{50};
inline constexpr int kChunks = kHogTime / kBetweenSafePoints;

}  // namespace bench
