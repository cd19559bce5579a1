// SPDX-License-Identifier: GPL-2.0-only
// How long a thread without work may look for some.
#include <catch2/catch_test_macros.hpp>

#include "sdk/src/runtime/thread/spin_budget.hpp"

using morpheus::sdk::SpinBudget;

TEST_CASE("a search that pays may be repeated") {
  SpinBudget budget;
  for (std::uint64_t now = 1; now < 1'000'000; now += 1000) {
    REQUIRE(budget.window(now) == SpinBudget::kLongestNs);
    budget.spend(40'000, true);
  }
}

TEST_CASE("wasted searches are bounded to a share of all time") {
  SpinBudget budget;
  std::uint64_t spent = 0;
  std::uint64_t now = 1'000'000'000;
  const std::uint64_t begun = now;
  while (now < begun + 1'000'000'000) {
    const std::uint64_t span = budget.window(now);
    CHECK(span <= SpinBudget::kLongestNs);
    budget.spend(span, false);
    spent += span;
    now += span + 5'000;  // it sleeps for 5 us
  }
  CHECK(spent <= SpinBudget::kMostNs + 1'000'000'000 / SpinBudget::kShare + SpinBudget::kLongestNs);
  CHECK(spent >= 1'000'000'000 / SpinBudget::kShare / 2);
}

TEST_CASE("a search that pays once restores the whole budget") {
  SpinBudget budget;
  (void)budget.window(1'000'000);
  budget.spend(SpinBudget::kMostNs, false);
  CHECK(budget.window(1'000'000) == 0);
  budget.spend(10, true);
  CHECK(budget.window(1'000'000) == SpinBudget::kLongestNs);
}
