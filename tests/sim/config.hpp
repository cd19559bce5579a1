// SPDX-License-Identifier: GPL-2.0-only
// What one simulation is made of, the seed included. A run follows from nothing else.
#pragma once

#include <cstdint>
#include <string>

#include "proto/events.h"

namespace morpheus::sim {

constexpr std::uint64_t kUs = 1'000;
constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kTick = 4 * kMs;  // HZ=250

/// Which threads there are.
enum class Mix {
  everything,   ///< all kinds of workers and ordinary threads
  cooperative,  ///< workers that keep the protocol, and ordinary threads
  hostile,      ///< workers that are deaf, lie, or stay critical too long
  equal,        ///< CPU-bound workers of equal weight that acknowledge hints: for fairness
  weighted,     ///< the same, each in a group of its own, of weight 1, 2 or 4
  grouped,      ///< the same in two groups of equal weight, one of two threads
  light,        ///< the same beside one in a group of a thousandth of their weight
  alone,        ///< one thread for each CPU: none ever waits
};

struct Config {
  std::uint64_t seed = 1;
  std::uint64_t decisions = 1'000'000;  ///< how many decisions about workers to simulate
  std::uint64_t horizon_ns = ~0ull;     ///< or until this time
  std::uint32_t cpus = 4;
  std::uint32_t llcs = 1;       ///< last-level caches, shared by neighbouring CPUs
  std::uint32_t workers = 24;   ///< threads that are or become workers
  std::uint32_t ordinary = 12;  ///< other threads
  Mix mix = Mix::everything;
  bool programs = true;   ///< false: as if Morpheus were not installed
  bool enforced = false;  ///< the mode at the start
  bool strict = false;    ///< known weaknesses are violations, too
  bool changes = true;    ///< the operator changes modes, tunables and affinities
  bool pinned = true;     ///< some threads are bound to one CPU
  bool higher = true;     ///< threads of a higher class that take CPUs as they like
  morpheus_tunables tunables{5 * kMs, 10 * kMs, 100 * kMs, 1 * kMs, 0};
};

}  // namespace morpheus::sim
