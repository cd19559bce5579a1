// SPDX-License-Identifier: GPL-2.0-only
// Work that takes a known CPU time and touches no memory.
#pragma once

#include "subject.hpp"

namespace bench {

/// The same value, but the compiler knows nothing of it, and takes it to be used.
template <class T>
T keep(T value) {
  asm volatile("" : "+r"(value));
  return value;
}

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

// Nothing is known of n: no loop is unrolled, so that loops that are compared have the same shape.
[[gnu::noinline]] inline std::uint64_t steps(std::size_t n, std::uint64_t x) {
  for (; n > 0; n = keep(n - 1)) x = step(x);
  return x;
}

/// A piece of work of the given length, counted in steps when made: it takes CPU time, not time on
/// the clock.
class Burn {
 public:
  explicit Burn(std::chrono::microseconds length) {
    constexpr std::size_t kProbe = 100'000;
    double best = 1;
    for (int i = 0; i < 5; ++i) {
      const auto start = Clock::now();
      keep(steps(kProbe, keep(std::uint64_t{1})));
      best = std::min(best, seconds_since(start));
    }
    steps_ =
        static_cast<std::size_t>(std::chrono::duration<double>(length).count() / best * kProbe);
  }
  void operator()() const { keep(steps(steps_, keep(std::uint64_t{1}))); }

 private:
  std::size_t steps_;
};

inline constexpr std::chrono::microseconds kHogTime{20'000}, kBetweenSafePoints{50};
inline constexpr int kChunks = kHogTime / kBetweenSafePoints;

}  // namespace bench
