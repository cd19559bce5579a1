// SPDX-License-Identifier: GPL-2.0-only
// When the CPU may be taken. Natively: the very files that the BPF programs are compiled from.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/unit/bpf/policy/workers.hpp"

using namespace morpheus::policy_test;

TEST_CASE("policy: escalation needs every one of its conditions") {
  const auto w = hinted(16 * kMs, 11 * kMs);
  REQUIRE(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &kConsent, &kTunables, kNow) ==
          MORPHEUS_BLOCK_NONE);

  CHECK(policy_escalation_gate(MORPHEUS_OBSERVER_ONLY, &w, &kConsent, &kTunables, kNow) ==
        MORPHEUS_BLOCK_MODE);
  for (unsigned state = 0; state < 8; ++state) {
    if (state == MORPHEUS_WORKER_RUNNING) continue;
    auto other = w;
    other.state = state;
    CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &other, &kConsent, &kTunables, kNow) ==
          MORPHEUS_BLOCK_STATE);
  }
  auto claims = kConsent;
  claims.policy = MORPHEUS_POLICY_NONE;
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &claims, &kTunables, kNow) ==
        MORPHEUS_BLOCK_POLICY);
  claims.policy = 99;
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &claims, &kTunables, kNow) ==
        MORPHEUS_BLOCK_POLICY);
  claims = kConsent;
  claims.escapable = GENERATE(0u, 2u, 0xffffffffu);
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &claims, &kTunables, kNow) ==
        MORPHEUS_BLOCK_NOT_ESCAPABLE);
  claims = kConsent;
  claims.critical = GENERATE(1u, 2u, 0xffffffffu);
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &claims, &kTunables, kNow) ==
        MORPHEUS_BLOCK_CRITICAL);
  claims = kConsent;
  claims.last_ack_seq = 8;
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &claims, &kTunables, kNow) ==
        MORPHEUS_BLOCK_ACKNOWLEDGED);
  const auto fresh_run = hinted(15 * kMs, 11 * kMs);
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &fresh_run, &kConsent, &kTunables, kNow) ==
        MORPHEUS_BLOCK_EARLY);
}

TEST_CASE("policy: each policy does what its name says, unknown ones nothing") {
  for (const unsigned policy : {0u, 1u, 2u, 3u, 4u, 99u}) {
    CHECK(policy_kicks(policy) ==
          (policy == MORPHEUS_POLICY_THREAD_KICK || policy == MORPHEUS_POLICY_HYBRID));
    CHECK(policy_throttles(policy) ==
          (policy == MORPHEUS_POLICY_CGROUP_THROTTLE || policy == MORPHEUS_POLICY_HYBRID));
  }
}
