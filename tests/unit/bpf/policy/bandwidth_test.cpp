// SPDX-License-Identifier: GPL-2.0-only
// Bounds on the CPU time of control groups. Natively: the very files that the BPF programs are
// compiled from.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/bpf/policy/workers.hpp"

using namespace morpheus::policy_test;

TEST_CASE("policy: a bound is refilled by whole periods, keeps little, and remembers debt") {
  policy_bandwidth b{
      .quota_ns = 20 * kMs, .period_ns = 100 * kMs, .refilled_ns = kNow, .left_ns = 0};
  CHECK(policy_next_refill(&b, kNow, kNow + 99 * kMs) == kNow);
  CHECK(policy_next_refill(&b, kNow, kNow + 350 * kMs) == kNow + 300 * kMs);
  CHECK(policy_refill(&b, 100 * kMs) == 20 * kMs);
  CHECK(policy_refill(&b, 1'000'000 * kMs) == 25 * kMs);  // a quota and what is kept
  b.left_ns = 24 * kMs;
  CHECK(policy_refill(&b, 100 * kMs) == 1 * kMs);
  b.left_ns = 30 * kMs;
  CHECK(policy_refill(&b, 100 * kMs) == 0);
  b.left_ns = -70 * kMs;
  CHECK(policy_refill(&b, 100 * kMs) == 20 * kMs);
  CHECK(policy_refill(&b, 1'000'000 * kMs) == 95 * kMs);
  b.period_ns = 0;
  CHECK(policy_next_refill(&b, kNow, kNow + kMs) == kNow);
  CHECK(policy_refill(&b, kMs) == 0);
}

TEST_CASE("policy: all that are parked get a turn in each round, evenly spread") {
  constexpr std::uint64_t kRound = POLICY_PARKING_ROUND_NS;
  CHECK(policy_turns_due(600, 0, 0) == 0);
  CHECK(policy_turns_due(500, 0, kRound / 500) == 1);
  CHECK(policy_turns_due(500, 1, kRound / 500) == 0);
  CHECK(policy_turns_due(600, 100, kRound / 2) == 200);
  CHECK(policy_turns_due(600, 400, kRound / 2) == -100);  // time of their own served them
  CHECK(policy_turns_due(600, 590, kRound) == 10);
  CHECK(policy_turns_due(600, 590, 100 * kRound) == 10);  // no thread was parked meanwhile
  CHECK(policy_turns_due(1, 0, kRound - 1) == 0);
  CHECK(policy_turns_due(1, 0, kRound) == 1);
  CHECK(policy_turns_due(0, 0, kRound) == 0);
  CHECK(2 * kRound < 30'000 * kMs);  // when the kernel ejects a scheduler
}
