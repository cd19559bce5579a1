// SPDX-License-Identifier: GPL-2.0-only
// Which worker is hinted, and when. Natively: the very files that the BPF programs are compiled
// from.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cstdint>
#include <limits>

#include "tests/unit/bpf/policy/workers.hpp"

using namespace morpheus::policy_test;

TEST_CASE("policy: nobody waits, nobody is asked") {
  const auto ran = GENERATE(0 * kMs, 4 * kMs, 5 * kMs, 10'000 * kMs);
  const auto w = running(ran);
  CHECK(policy_hint(&w, &kTunables, kNow, 0, false) == MORPHEUS_HINT_NONE);
}

TEST_CASE("policy: a waiter asks at once, or after the minimum run") {
  const auto w = running(2 * kMs);
  CHECK(policy_hint(&w, &kTunables, kNow, 1, false) == MORPHEUS_HINT_PRESSURE);
  auto patient = kTunables;
  patient.min_run_ns = 2 * kMs + 1;
  CHECK(policy_hint(&w, &patient, kNow, 1, false) == MORPHEUS_HINT_NONE);
  patient.min_run_ns = 2 * kMs;
  CHECK(policy_hint(&w, &patient, kNow, 1, false) == MORPHEUS_HINT_PRESSURE);
}

TEST_CASE("policy: contention asks a lead before the slice ends") {
  auto w = running(4 * kMs - 1);
  CHECK(policy_hint(&w, &kTunables, kNow, 0, true) == MORPHEUS_HINT_NONE);
  w = running(4 * kMs);
  CHECK(policy_hint(&w, &kTunables, kNow, 0, true) == MORPHEUS_HINT_BUDGET);
}

TEST_CASE("policy: only a RUNNING worker on a CPU without an open hint is asked") {
  auto w = running(20 * kMs);
  for (unsigned state = 0; state < 8; ++state) {
    w.state = state;
    CHECK((policy_hint(&w, &kTunables, kNow, 3, true) != MORPHEUS_HINT_NONE) ==
          (state == MORPHEUS_WORKER_RUNNING));
  }
  w = hinted(20 * kMs, 1 * kMs);
  CHECK(policy_hint(&w, &kTunables, kNow, 3, true) == MORPHEUS_HINT_NONE);
  w = running(20 * kMs);
  w.run_start_ns = 0;
  CHECK(policy_hint(&w, &kTunables, kNow, 3, true) == MORPHEUS_HINT_NONE);
}

TEST_CASE("policy: only the exact sequence acknowledges, whatever a client claims") {
  const auto w = hinted(6 * kMs, 1 * kMs);
  CHECK(policy_acknowledged(&w, 8));
  for (const std::uint64_t lie : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{9},
                                  std::numeric_limits<std::uint64_t>::max()})
    CHECK_FALSE(policy_acknowledged(&w, lie));
  const auto closed = running(6 * kMs);
  CHECK_FALSE(policy_acknowledged(&closed, closed.seq));
}

TEST_CASE("policy: a claimed time cannot make a latency longer or shorter than possible") {
  const auto w = hinted(6 * kMs, 3 * kMs);
  CHECK(policy_ack_latency(&w, kNow - 1 * kMs, kNow) == 2 * kMs);
  CHECK(policy_ack_latency(&w, 0, kNow) == 3 * kMs);
  CHECK(policy_ack_latency(&w, kNow + 5 * kMs, kNow) == 3 * kMs);
}

TEST_CASE("policy: a hint is late from its deadline on") {
  auto w = hinted(20 * kMs, 10 * kMs - 1);
  CHECK_FALSE(policy_hint_late(&w, &kTunables, kNow));
  w = hinted(20 * kMs, 10 * kMs);
  CHECK(policy_hint_late(&w, &kTunables, kNow));
  w.timed_seq = w.seq - 1;  // another CPU is just giving it
  CHECK_FALSE(policy_hint_late(&w, &kTunables, kNow));
  w.timed_seq = w.seq;
  w.ended_seq = w.seq;
  CHECK_FALSE(policy_hint_late(&w, &kTunables, kNow));
}

TEST_CASE("policy: the last call comes once, a lead before the deadline, if escalation is next") {
  const auto called = [](const morpheus_worker_record& w, const policy_claims& c,
                         unsigned mode = MORPHEUS_ENFORCED) {
    return policy_last_call(mode, &w, &c, &kTunables, kNow);
  };
  CHECK(called(hinted(20 * kMs, 9 * kMs), kConsent));
  CHECK_FALSE(called(hinted(20 * kMs, 9 * kMs - 1), kConsent));
  CHECK_FALSE(called(hinted(20 * kMs, 9 * kMs), kConsent, MORPHEUS_OBSERVER_ONLY));
  auto w = hinted(20 * kMs, 9 * kMs);
  w.called_seq = w.seq;
  CHECK_FALSE(called(w, kConsent));
  w = hinted(20 * kMs, 9 * kMs);
  w.ended_seq = w.seq;
  CHECK_FALSE(called(w, kConsent));
  auto claims = kConsent;
  claims.escapable = 0;
  CHECK_FALSE(called(hinted(20 * kMs, 9 * kMs), claims));
  claims = kConsent;
  claims.policy = GENERATE(0u + MORPHEUS_POLICY_NONE, 0u + MORPHEUS_POLICY_COUNT);
  CHECK_FALSE(called(hinted(20 * kMs, 9 * kMs), claims));
  claims = kConsent;
  claims.last_ack_seq = 8;
  CHECK_FALSE(called(hinted(20 * kMs, 9 * kMs), claims));
}

TEST_CASE("policy: of two workers the lower priority is asked, then the one with the older slice") {
  auto a = running(1 * kMs), b = running(3 * kMs);
  a.priority = b.priority = 500;
  CHECK(policy_hinted_before(&b, &a));
  CHECK_FALSE(policy_hinted_before(&a, &b));
  a.priority = 499;
  CHECK(policy_hinted_before(&a, &b));
  CHECK_FALSE(policy_hinted_before(&b, &a));
}

TEST_CASE("policy: balance is asked of a worker whose slice is nearly over") {
  auto w = running(4 * kMs);
  CHECK(policy_hint_imbalance(&w, &kTunables, kNow));
  w = running(4 * kMs - 1);
  CHECK_FALSE(policy_hint_imbalance(&w, &kTunables, kNow));
  w = hinted(4 * kMs, 1 * kMs);
  CHECK_FALSE(policy_hint_imbalance(&w, &kTunables, kNow));
}

TEST_CASE("policy: the next look is never sooner than the floor nor later than a decision") {
  constexpr std::uint64_t kFloor = kMs / 10;
  auto w = running(1 * kMs);
  CHECK(policy_next_look(&w, &kTunables, false, kNow, kFloor) == 3 * kMs);
  w = running(50 * kMs);
  CHECK(policy_next_look(&w, &kTunables, false, kNow, kFloor) == kFloor);
  CHECK(policy_next_look(&w, &kTunables, true, kNow, kFloor) ==
        4 * kMs);  // no thread waited: no hurry
  w = hinted(6 * kMs, 4 * kMs);
  CHECK(policy_next_look(&w, &kTunables, false, kNow, kFloor) == 5 * kMs);  // the last call
  w = hinted(12 * kMs, 9 * kMs);
  CHECK(policy_next_look(&w, &kTunables, false, kNow, kFloor) == 1 * kMs);
  w.lost_seq = w.seq;
  CHECK(policy_next_look(&w, &kTunables, true, kNow, kFloor) == 4 * kMs);
  auto patient = kTunables;
  patient.min_run_ns = 3 * kMs;
  w = running(1 * kMs);
  CHECK(policy_next_look(&w, &patient, false, kNow, kFloor) == 2 * kMs);
  patient.hint_lead_ns = 1000 * kMs;  // longer than the slice
  w = running(4 * kMs);
  CHECK(policy_next_look(&w, &patient, false, kNow, kFloor) == kFloor);
}

TEST_CASE("policy: pressure stays in its range") {
  CHECK(policy_pressure(0) == 0);
  CHECK(policy_pressure(1) == 0);
  CHECK(policy_pressure(2) == 50);
  CHECK(policy_pressure(4) == 75);
  CHECK(policy_pressure(0xffffffffu) == 100);
}
