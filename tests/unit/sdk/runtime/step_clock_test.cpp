// SPDX-License-Identifier: GPL-2.0-only
// How many steps a thread makes between two looks at the clock.
#include "sdk/src/runtime/thread/step_clock.hpp"

#include <catch2/catch_test_macros.hpp>

using morpheus::sdk::StepClock;

namespace {

/// Looks at the clock until it settles, with steps of that length. Returns the steps between looks.
std::int32_t settled(StepClock& clock, std::uint64_t& now, std::uint64_t step_ns) {
  std::int32_t steps = 1;
  for (int i = 0; i < 20; ++i) {
    now += static_cast<std::uint64_t>(steps) * step_ns;
    steps = clock.look(now);
  }
  return steps;
}

}  // namespace

TEST_CASE("the clock is looked at about every ten microseconds, whatever a step takes") {
  StepClock clock;
  std::uint64_t now = 1'000'000;
  CHECK(settled(clock, now, 1) == StepClock::kMostSteps);
  for (const std::uint64_t step_ns : {100U, 1000U, 5000U}) {
    const auto span = static_cast<std::uint64_t>(settled(clock, now, step_ns)) * step_ns;
    CHECK(span >= StepClock::kTickNs / 2);
    CHECK(span <= 2 * StepClock::kTickNs);
  }
  CHECK(settled(clock, now, 1'000'000) == 1);
}

TEST_CASE("at least one step is counted at each look") {
  StepClock clock;
  std::uint64_t now = 0;
  const std::int32_t steps = settled(clock, now, 100);
  CHECK(clock.steps_made(0) == static_cast<std::uint64_t>(steps));
  CHECK(clock.steps_made(steps - 3) == 3);
  CHECK(clock.steps_made(steps) == 1);
  CHECK(clock.steps_made(-5) == static_cast<std::uint64_t>(steps));
}
