// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/restart_policy.hpp"

#include <catch2/catch_test_macros.hpp>

#include "proto/monotonic_clock.hpp"

using morpheus::kSecond;
using morpheus::daemon::RestartPolicy;

TEST_CASE("an ejected scheduler is restarted after pauses that double, and not for ever") {
  RestartPolicy policy(3, kSecond);
  std::uint64_t now = 100 * kSecond;
  for (const std::uint64_t pause : {1, 2, 4}) {
    policy.ended(MORPHEUS_EXIT_EJECTED, now);
    REQUIRE(policy.due_ns() == now + pause * kSecond);
    CHECK_FALSE(policy.has_given_up());
    now = *policy.due_ns();
    policy.restarted(now);
    CHECK_FALSE(policy.due_ns());
  }
  policy.ended(MORPHEUS_EXIT_EJECTED, now);
  CHECK_FALSE(policy.due_ns());
  CHECK(policy.has_given_up());
  CHECK(policy.ejections() == 4);
  policy.reset();
  CHECK(policy.ejections() == 0);
  CHECK_FALSE(policy.has_given_up());
}

TEST_CASE("a pause is at most a minute, however many restarts are allowed") {
  RestartPolicy policy(1000, kSecond);
  for (int i = 0; i < 100; ++i) policy.ended(MORPHEUS_EXIT_EJECTED, kSecond);
  CHECK(policy.due_ns() == 61 * kSecond);
}

TEST_CASE("a scheduler that ran for ten minutes is sound again") {
  RestartPolicy policy(1, kSecond);
  policy.ended(MORPHEUS_EXIT_EJECTED, kSecond);
  policy.restarted(2 * kSecond);
  policy.ended(MORPHEUS_EXIT_EJECTED, 602 * kSecond);
  CHECK(policy.ejections() == 1);
  CHECK(policy.due_ns() == 603 * kSecond);
}

TEST_CASE(
    "what the kernel asks to restart is restarted at once, what the administrator ended is not") {
  RestartPolicy policy(0, kSecond);
  policy.ended(MORPHEUS_EXIT_RESTART, 5);
  CHECK(policy.due_ns() == 5);
  CHECK(policy.ejections() == 0);
  policy.ended(MORPHEUS_EXIT_ORDERED, 6);
  CHECK_FALSE(policy.due_ns());
  CHECK_FALSE(policy.has_given_up());
  policy.ended(MORPHEUS_EXIT_EJECTED, 7);
  CHECK_FALSE(policy.due_ns());
  CHECK(policy.has_given_up());
}
