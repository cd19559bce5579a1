// SPDX-License-Identifier: GPL-2.0-only
// When a slice ends, and when its end waits. Natively: the very files that the BPF programs are
// compiled from.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/bpf/policy/workers.hpp"

using namespace morpheus::policy_test;

TEST_CASE("policy: a slice that ended leaves room to stay, a CPU that was taken does not") {
  for (const std::uint32_t verdict : {POLICY_SLICE_KEEP, POLICY_SLICE_RENEW, POLICY_SLICE_DEFER})
    CHECK(policy_goes_on(verdict));
  for (const std::uint32_t verdict : {POLICY_SLICE_END, POLICY_SLICE_OVERRUN, POLICY_SLICE_TAKEN})
    CHECK_FALSE(policy_goes_on(verdict));
  CHECK(policy_may_stay(POLICY_SLICE_END));
  CHECK_FALSE(policy_may_stay(POLICY_SLICE_OVERRUN));
  CHECK_FALSE(policy_may_stay(POLICY_SLICE_TAKEN));
}

TEST_CASE("policy: a slice without a rival is renewed, with one it ends") {
  const auto w = running(6 * kMs);
  CHECK(policy_slice(&w, &kConsent, &kTunables, kNow, false) == POLICY_SLICE_RENEW);
  CHECK(policy_slice(&w, &kConsent, &kTunables, kNow, true) == POLICY_SLICE_END);
  const auto young = running(5 * kMs - 1);
  CHECK(policy_slice(&young, &kConsent, &kTunables, kNow, true) == POLICY_SLICE_KEEP);
}

TEST_CASE("policy: the end of a slice waits for critical sections and fresh hints, up to the cap") {
  auto critical = kConsent;
  critical.critical = 1;
  auto w = running(99 * kMs);
  CHECK(policy_slice(&w, &critical, &kTunables, kNow, true) == POLICY_SLICE_DEFER);
  w = running(100 * kMs);
  CHECK(policy_slice(&w, &critical, &kTunables, kNow, true) == POLICY_SLICE_OVERRUN);

  w = hinted(12 * kMs, 9 * kMs);
  CHECK(policy_slice(&w, &kConsent, &kTunables, kNow, true) == POLICY_SLICE_DEFER);
  w = hinted(12 * kMs, 10 * kMs);
  CHECK(policy_slice(&w, &kConsent, &kTunables, kNow, true) == POLICY_SLICE_END);
  w.hinted_at_ns = kNow + 1;  // by another CPU, after the time was read here
  CHECK(policy_slice(&w, &kConsent, &kTunables, kNow, true) == POLICY_SLICE_DEFER);
  auto acknowledged = kConsent;
  acknowledged.last_ack_seq = 8;
  w = hinted(12 * kMs, 1 * kMs);
  CHECK(policy_slice(&w, &acknowledged, &kTunables, kNow, true) == POLICY_SLICE_END);
}

TEST_CASE("policy: a critical section outlasts its group's time, up to the cap") {
  const auto inside = policy_claims{.critical = 1, .escapable = 1, .policy = 2, .last_ack_seq = 7};
  auto w = running(99 * kMs);
  CHECK_FALSE(policy_stops_now(&w, &inside, &kTunables, kNow));
  CHECK(policy_stops_now(&w, &kConsent, &kTunables, kNow));
  w = running(100 * kMs);
  CHECK(policy_stops_now(&w, &inside, &kTunables, kNow));
}
