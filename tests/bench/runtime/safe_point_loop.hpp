// SPDX-License-Identifier: GPL-2.0-only
// What a safe point costs in a loop of about 20 instructions, in a plain function or in a coroutine
// body: the time of the loop with it less that of the loop without.
#pragma once

#include <string>
#include <vector>

#include "burn.hpp"

namespace bench {

[[gnu::noinline]] inline std::uint64_t bare_loop(std::size_t n, std::uint64_t x) {
  return steps(n, x);
}

template <class Check>
[[gnu::noinline]] std::uint64_t checked_loop(std::size_t n, std::uint64_t x, Check check) {
  for (; n > 0; n = keep(n - 1)) {
    x = step(x);
    check();
  }
  return x;
}

/// play(variant, n, x) runs n rounds of the loop of that name; "NAME-bare" is the one without safe
/// points.
template <class Play>
void compare_loops(const Run& run, Play&& play) {
  constexpr std::size_t kPieces = 15;
  const std::size_t rounds = run.scaled(2'000'000);
  const std::string with(run.variant), without = with + "-bare";
  std::vector<double> bare, added;
  std::uint64_t x = 1;
  const auto timed = [&](const std::string& variant) {
    const auto start = Clock::now();
    x = play(variant, rounds, x);
    return seconds_since(start) / static_cast<double>(rounds) * 1e9;
  };
  for (std::size_t i = 0; i < kPieces; ++i) {
    bare.push_back(timed(without));
    added.push_back(timed(with) - bare.back());
  }
  if (x == 0) std::abort();
  std::ranges::sort(bare);
  std::ranges::sort(added);
  report("added", added[kPieces / 2]);
  report("share", 100 * added[kPieces / 2] / bare[kPieces / 2]);
}

template <class Play>
void play_one_loop(const Run& run, Play&& play) {
  const std::size_t rounds = run.scaled(1'000'000);
  if (play(run.variant, rounds, 1) == 0) std::abort();
  report("rounds", static_cast<double>(rounds));
}

}  // namespace bench
