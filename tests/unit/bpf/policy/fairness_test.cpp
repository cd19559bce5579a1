// SPDX-License-Identifier: GPL-2.0-only
// Virtual time and weights. Natively: the very files that the BPF programs are compiled from.
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <limits>

#include "tests/unit/bpf/policy/workers.hpp"

using namespace morpheus::policy_test;

TEST_CASE("policy: a priority can only lower a weight, and a group scales it") {
  CHECK(policy_worker_weight(100, 1000) == 100);
  CHECK(policy_worker_weight(100, 500) == 100);
  CHECK(policy_worker_weight(100, 250) == 50);
  CHECK(policy_worker_weight(100, 0) == 10);
  CHECK(policy_worker_weight(3, 0) == 1);
  CHECK(policy_group_weight(100, 400) == 400);
  CHECK(policy_group_weight(100, 100) == 100);
  CHECK(policy_group_weight(3, 1) == 1);
  CHECK(policy_group_weight(0xffffffff, 10'000) == POLICY_MOST_WEIGHT);
}

TEST_CASE("policy: virtual time is shared by weight and survives its wrap") {
  CHECK(policy_vtime_delta(5 * kMs, 100) == 5 * kMs);
  CHECK(policy_vtime_delta(5 * kMs, 200) == 5 * kMs / 2);
  CHECK(policy_vtime_delta(5 * kMs, 0) == 500 * kMs);
  constexpr auto kEnd = std::numeric_limits<std::uint64_t>::max();
  CHECK(policy_vtime_before(kEnd - 5, 5));
  CHECK_FALSE(policy_vtime_before(5, kEnd - 5));
  CHECK(policy_vtime_clamp(0, kNow, 1, &kTunables) == kNow - 5 * kMs);
  CHECK(policy_vtime_clamp(kNow + 3, kNow, 1, &kTunables) == kNow + 3);
  CHECK(policy_vtime_clamp(kNow + 500 * kMs, kNow, 1, &kTunables) == kNow + 500 * kMs);
  CHECK(policy_vtime_clamp(kNow + 90'000 * kMs, kNow, 1, &kTunables) == kNow + 128 * 5 * kMs);
}

TEST_CASE("policy: nobody waits for many rounds longer than three seconds, however light") {
  constexpr auto kLightest = kNow + 500 * kMs;  // after a slice
  CHECK(policy_owes_much(kLightest, kNow, &kTunables));
  CHECK_FALSE(policy_owes_much(kNow + 10 * kMs, kNow, &kTunables));
  for (const unsigned round : {1U, 5U})
    CHECK(policy_vtime_clamp(kLightest, kNow, round, &kTunables) == kLightest);
  for (const unsigned round : {7U, 30U, 200U})
    CHECK((policy_vtime_clamp(kLightest, kNow, round, &kTunables) - kNow) * round <= 3000 * kMs);
  // where one round takes longer the lightest waits for two
  CHECK(policy_vtime_clamp(kLightest, kNow, 5000, &kTunables) == kNow + 10 * kMs);
}

TEST_CASE("policy: who slept owes one slice of its own at most") {
  CHECK(policy_vtime_woken(kNow + 3 * kMs, kNow, 100, &kTunables) == kNow + 3 * kMs);
  CHECK(policy_vtime_woken(kNow + 80 * kMs, kNow, 100, &kTunables) == kNow + 5 * kMs);
  CHECK(policy_vtime_woken(kNow + 80 * kMs, kNow, 10, &kTunables) == kNow + 50 * kMs);
}
