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
