// SPDX-License-Identifier: GPL-2.0-only
// Which thread runs next. Natively: the very files that the BPF programs are compiled from.
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <limits>

#include "tests/unit/bpf/policy/workers.hpp"

using namespace morpheus::policy_test;

TEST_CASE("policy: a place ahead comes before every virtual time and hides none") {
  constexpr auto kEnd = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t clock : {kNow, std::uint64_t{0}, kEnd - 3}) {
    const auto oldest = policy_vtime_entered(clock - 9000 * kMs, clock, kTunables.slice_ns);
    // the longest run of the lightest thread
    const auto newest = clock + policy_vtime_delta(kTunables.hold_cap_ns, 1);
    CHECK(policy_vtime_before(newest - POLICY_AHEAD, oldest));
    for (const std::uint64_t vtime : {std::uint64_t{oldest}, clock, std::uint64_t{newest}}) {
      CHECK(policy_vtime_of(vtime, clock) == vtime);
      CHECK(policy_vtime_of(vtime - POLICY_AHEAD, clock) == vtime);
    }
  }
}

TEST_CASE("policy: half of a CPU at most goes to threads ahead of their virtual time") {
  std::uint64_t until = 0, now = kNow, ahead = 0;
  // A thread is always about to go ahead, for 2 ms at a time; while it may not, others run for 1
  // ms.
  while (now < kNow + 10'000 * kMs) {
    if (policy_may_go_ahead(0, 0, until, now, &kTunables)) {
      now += 2 * kMs;
      ahead += 2 * kMs;
      until = policy_charge_ahead(until, now, 2 * kMs, POLICY_WEIGHT_UNIT, &kTunables);
    } else {
      now += kMs;
    }
  }
  CHECK(ahead > 4'900 * kMs);
  CHECK(ahead < 5'000 * kMs + kTunables.hold_cap_ns);
  // Nor may a thread that has had its share, or one that comes when many wait already.
  CHECK(policy_may_go_ahead(kTunables.slice_ns, POLICY_MOST_WAITERS - 1, 0, kNow, &kTunables));
  CHECK_FALSE(policy_may_go_ahead(kTunables.slice_ns + 1, 0, 0, kNow, &kTunables));
  CHECK_FALSE(policy_may_go_ahead(0, POLICY_MOST_WAITERS, 0, kNow, &kTunables));
  // Neither a light thread nor a pause of the machine below is held against the others.
  constexpr auto kOne = POLICY_WEIGHT_UNIT;
  CHECK(policy_charge_ahead(0, kNow, kMs, kOne / 100, &kTunables) == kNow + 2 * kMs);
  CHECK(policy_charge_ahead(0, kNow, 900 * kMs, kOne, &kTunables) == kNow + 2 * kTunables.slice_ns);
}

TEST_CASE("policy: who is owed most stays, but no longer than for the hold cap") {
  constexpr auto kOne = POLICY_WEIGHT_UNIT;
  const auto cap = kTunables.hold_cap_ns;
  CHECK(policy_stays(99, 100, kOne, cap - 1, false, &kTunables));
  CHECK_FALSE(policy_stays(100, 100, kOne, 0, false, &kTunables));
  CHECK_FALSE(policy_stays(99, 100, kOne, cap, false, &kTunables));
  CHECK_FALSE(policy_stays(99, 100 - POLICY_AHEAD, kOne, 0, false, &kTunables));
  CHECK(policy_stays(~0ull, 1, kOne, 0, false, &kTunables));
}

TEST_CASE("policy: a yield is worth a slice of the thread's own") {
  constexpr auto kOne = POLICY_WEIGHT_UNIT;
  const auto slice = kTunables.slice_ns;
  CHECK_FALSE(policy_stays(kNow, kNow + slice, kOne, 0, true, &kTunables));
  CHECK(policy_stays(kNow, kNow + slice + 1, kOne, 0, true, &kTunables));
  CHECK(policy_stays(kNow, kNow + slice, 2 * kOne, 0, true, &kTunables));
  CHECK_FALSE(policy_stays(kNow, kNow + slice, kOne / 2, 0, true, &kTunables));
}

TEST_CASE("policy: of a CPU's two queues the one that is passed over comes to be owed more") {
  const std::uint64_t slice = kTunables.slice_ns;
  CHECK(policy_passed_over(slice, POLICY_WEIGHT_UNIT, 1) == slice);
  CHECK(policy_passed_over(slice, POLICY_WEIGHT_UNIT, 5) == slice / 5);
  CHECK(policy_passed_over(slice, POLICY_WEIGHT_UNIT / 16, 4) == 4 * slice);
  CHECK(policy_passed_over(slice, 16 * POLICY_WEIGHT_UNIT, 4) == slice / 64);
  CHECK(policy_passed_over(slice, POLICY_WEIGHT_UNIT, 0) == slice);
}

TEST_CASE("policy: an ordinary thread is preempted by one that lags more than the lead") {
  const auto in = [](std::uint64_t woken, std::uint64_t ran,
                     std::uint32_t weight = POLICY_WEIGHT_UNIT) {
    return policy_wakeup_preempts_in(woken, kNow, ran, weight, &kTunables);
  };
  CHECK(in(kNow - 2 * kMs, kMs) == 0);
  CHECK(in(kNow - 1 * kMs, kMs) == POLICY_NEVER);
  CHECK(in(kNow + 1 * kMs, kMs) == POLICY_NEVER);
  SECTION("but not before that one has run for a while") {
    CHECK(in(kNow - 2 * kMs, POLICY_WAKEUP_GRANULARITY_NS) == 0);
    CHECK(in(kNow - 2 * kMs, POLICY_WAKEUP_GRANULARITY_NS - 1) == 1);
    CHECK(in(kNow - 2 * kMs, 0) == POLICY_WAKEUP_GRANULARITY_NS);
  }
  SECTION("what that one will owe by then counts") {
    const std::uint64_t nearly = kNow - kTunables.hint_lead_ns + POLICY_WAKEUP_GRANULARITY_NS / 2;
    CHECK(in(nearly, 0) == POLICY_WAKEUP_GRANULARITY_NS);
    CHECK(in(nearly, 0, 10 * POLICY_WEIGHT_UNIT) == POLICY_NEVER);
    CHECK(in(nearly, POLICY_WAKEUP_GRANULARITY_NS) == POLICY_NEVER);
  }
}

TEST_CASE("policy: queues are balanced until the longer one is no longer so") {
  CHECK_FALSE(policy_imbalanced(0, 0));
  CHECK_FALSE(policy_imbalanced(2, 0));
  CHECK(policy_imbalanced(3, 0));
  // moving a thread from a longer queue to a shorter one never turns the two around
  for (unsigned there = 0; there < 40; ++there)
    for (unsigned here = 0; here < 40; ++here)
      if (policy_imbalanced(there, here)) CHECK_FALSE(policy_imbalanced(here + 1, there - 1));
}
