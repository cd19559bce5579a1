// SPDX-License-Identifier: GPL-2.0-only
#include <catch2/catch_test_macros.hpp>

#include "bpf/policy.bpf.h"

namespace {

constexpr morpheus_tunables kTimes{.slice_ns = 5000,
                                   .grace_ns = 10'000,
                                   .hold_cap_ns = 100'000,
                                   .hint_lead_ns = 1000,
                                   .min_run_ns = 0};

morpheus_worker_record hinted_at(std::uint64_t ns) {
  morpheus_worker_record worker{};
  worker.seq = worker.timed_seq = 1;
  worker.hinted_at_ns = ns;
  return worker;
}

}  // namespace

TEST_CASE(
    "policy: a worker keeps threads waiting from the hint, or from its run if that is later") {
  const auto worker = hinted_at(500);
  CHECK(policy_kept_waiting(&worker, 100, 800) == 300);
  CHECK(policy_kept_waiting(&worker, 700, 800) == 100);
  CHECK(policy_kept_waiting(&worker, 0, 800) == 0);    // not while it has no CPU
  CHECK(policy_kept_waiting(&worker, 100, 400) == 0);  // the hint came from another CPU just now
  auto untimed = worker;
  untimed.timed_seq = 0;  // another CPU is still giving the hint
  CHECK(policy_kept_waiting(&untimed, 100, 800) == 0);
}

TEST_CASE("policy: the time that an answer takes is not held against a worker") {
  CHECK(policy_kept_too_long(999, &kTimes) == 0);
  CHECK(policy_kept_too_long(1000, &kTimes) == 1000);
}

TEST_CASE("policy: a critical section is to blame once it has outlasted its hint by the lead") {
  auto worker = hinted_at(500);
  const policy_claims critical{.critical = 1, .escapable = 0, .policy = 0, .last_ack_seq = 0};
  CHECK(policy_held(&worker, &critical, &kTimes, 1500));
  CHECK_FALSE(policy_held(&worker, &critical, &kTimes, 1499));
  const policy_claims open{.critical = 0, .escapable = 0, .policy = 0, .last_ack_seq = 0};
  CHECK_FALSE(policy_held(&worker, &open, &kTimes, 1500));
  worker.ended_seq = 1;
  CHECK_FALSE(policy_held(&worker, &critical, &kTimes, 1500));
}

TEST_CASE("policy: a hint that another CPU gave after the time was read is not late") {
  const auto worker = hinted_at(500);
  const policy_claims critical{.critical = 1, .escapable = 0, .policy = 0, .last_ack_seq = 0};
  CHECK_FALSE(policy_hint_late(&worker, &kTimes, 499));
  CHECK_FALSE(policy_held(&worker, &critical, &kTimes, 499));
  CHECK(policy_hint_late(&worker, &kTimes, 10'500));
}
