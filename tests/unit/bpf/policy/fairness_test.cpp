// SPDX-License-Identifier: GPL-2.0-only
// Virtual time and weights. Natively: the very files that the BPF programs are compiled from.
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tests/unit/bpf/policy/workers.hpp"

using namespace morpheus::policy_test;

TEST_CASE("policy: a nice level is a factor of 1.25, and SCHED_IDLE less than all") {
  for (int nice = -20; nice < 20; ++nice) {
    const double exact = POLICY_WEIGHT_UNIT * std::pow(1.25, -nice);
    CHECK(std::abs(policy_thread_weight(120 + nice, false) / exact - 1) < 1e-4);
    CHECK(policy_thread_weight(120 + nice, true) == 3 * 1024);
  }
  CHECK(policy_thread_weight(0, false) == policy_thread_weight(139, false));  // never so
}

TEST_CASE("policy: a priority can only lower a weight") {
  CHECK(policy_worker_weight(100, 1000) == 100);
  CHECK(policy_worker_weight(100, 500) == 100);
  CHECK(policy_worker_weight(100, 250) == 50);
  CHECK(policy_worker_weight(100, 0) == 10);
  CHECK(policy_worker_weight(3, 0) == 1);
  CHECK(policy_worker_weight(POLICY_MOST_WEIGHT, 250) == POLICY_MOST_WEIGHT / 2);
}

TEST_CASE("policy: a group's weight is shared by what is runnable in it") {
  constexpr auto kOne = POLICY_WEIGHT_UNIT;
  CHECK(policy_weight_in_group(kOne, kOne, kOne) == kOne);  // alone in it, whatever its own weight
  CHECK(policy_weight_in_group(10 * kOne, kOne, 10 * kOne) == kOne);
  CHECK(policy_weight_in_group(kOne, kOne, 20 * kOne) == kOne / 20);
  CHECK(policy_weight_in_group(kOne, 4 * kOne, 2 * kOne) == 2 * kOne);
  CHECK(policy_weight_in_group(kOne, kOne, 0) == kOne);  // not counted yet
  CHECK(policy_weight_in_group(1, kOne / 1024, ~0ull) == 1);
  CHECK(policy_weight_in_group(POLICY_MOST_WEIGHT, POLICY_MOST_WEIGHT, 1) == POLICY_MOST_WEIGHT);
}

TEST_CASE("policy: virtual time is shared by weight and survives its wrap") {
  constexpr auto kOne = POLICY_WEIGHT_UNIT;
  CHECK(policy_vtime_delta(5 * kMs, kOne) == 5 * kMs);
  CHECK(policy_vtime_delta(5 * kMs, 2 * kOne) == 5 * kMs / 2);
  CHECK(policy_vtime_delta(5 * kMs, 0) == 5 * kMs * kOne);
  CHECK(policy_vtime_delta(3'600'000 * kMs, 1) == 3'600'000 * kMs * kOne);  // no overflow
  constexpr auto kEnd = std::numeric_limits<std::uint64_t>::max();
  CHECK(policy_vtime_before(kEnd - 5, 5));
  CHECK_FALSE(policy_vtime_before(5, kEnd - 5));
}

TEST_CASE("policy: who enters a queue keeps what it owes, and little of what it is owed") {
  CHECK(policy_vtime_entered(kNow + 80 * kMs, kNow, kMs) == kNow + 80 * kMs);
  CHECK(policy_vtime_entered(kNow - kMs / 2, kNow, kMs) == kNow - kMs / 2);
  CHECK(policy_vtime_entered(kNow - 80 * kMs, kNow, kMs) == kNow - kMs);
}

TEST_CASE("policy: who slept owes two of its slices at most in a crowd") {
  constexpr auto kOne = POLICY_WEIGHT_UNIT;
  CHECK_FALSE(policy_owes_much(900 * kMs, 50, &kTunables));  // no crowd
  CHECK_FALSE(policy_owes_much(0 - 5 * kMs, 600, &kTunables));
  CHECK_FALSE(policy_owes_much(kMs, 600, &kTunables));
  CHECK(policy_owes_much(kMs + 1, 600, &kTunables));
  CHECK(policy_crowd_owes(5 * kMs, 600, kOne, &kTunables) == kMs);
  CHECK(policy_crowd_owes(900 * kMs, 600, kOne / 512, &kTunables) == 512 * kMs);
  CHECK(policy_crowd_owes(300 * kMs, 600, kOne / 512, &kTunables) == 300 * kMs);
}

TEST_CASE("policy: in a crowd slices shrink, so that a round takes a quarter of one second") {
  CHECK(policy_slice_beside(0, &kTunables) == kTunables.slice_ns);
  CHECK(policy_slice_beside(50, &kTunables) == kTunables.slice_ns);
  CHECK_FALSE(policy_is_crowd(50, &kTunables));
  CHECK(policy_is_crowd(51, &kTunables));
  for (const unsigned runnable : {51U, 200U, 499U}) {
    CHECK(policy_slice_beside(runnable, &kTunables) * runnable <= 250 * kMs);
    CHECK(policy_slice_beside(runnable, &kTunables) * runnable > 249 * kMs);
  }
  CHECK(policy_slice_beside(100'000, &kTunables) == kMs / 2);
  morpheus_tunables brief = kTunables;
  brief.slice_ns = kMs / 10;  // an operator's wish
  CHECK_FALSE(policy_is_crowd(100'000, &brief));
  CHECK(policy_slice_beside(100'000, &brief) == brief.slice_ns);
}

TEST_CASE("policy: a new thread inherits a debt, never credit, and begins a slice behind") {
  const auto slice = kTunables.slice_ns;
  CHECK(policy_distance_born(0, POLICY_WEIGHT_UNIT, &kTunables) == slice);
  CHECK(policy_distance_born(7 * kMs, POLICY_WEIGHT_UNIT, &kTunables) == 7 * kMs + slice);
  CHECK(policy_distance_born(0 - 7 * kMs, POLICY_WEIGHT_UNIT, &kTunables) == slice);
  CHECK(policy_distance_born(0, POLICY_WEIGHT_UNIT / 2, &kTunables) == 2 * slice);
}

TEST_CASE("policy: a yield costs a slice, unless it answers a hint") {
  const auto slice = kTunables.slice_ns;
  CHECK(policy_turn_cost(slice / 10, true, &kTunables) == slice);
  CHECK(policy_turn_cost(2 * slice, true, &kTunables) == 2 * slice);
  CHECK(policy_turn_cost(slice / 10, false, &kTunables) == slice / 10);
  morpheus_worker_record w{};
  w.seq = w.ended_seq = 7;
  w.run_start_ns = kNow;
  w.hinted_at_ns = kNow - 1;
  CHECK_FALSE(policy_yield_answers(&w));
  w.hinted_at_ns = kNow;  // withdrawn since, which the worker cannot have seen
  CHECK(policy_yield_answers(&w));
  w.hinted_at_ns = kNow - 1;
  w.seq = 8;  // still open, from an earlier run
  CHECK(policy_yield_answers(&w));
}
