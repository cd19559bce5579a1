// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/enforcement.hpp"

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <thread>

#include "daemon/kernel/fake_kernel.hpp"

using namespace morpheus::daemon;

TEST_CASE("a changed configuration holds for the penalty and for restarts from now on") {
  Config config;
  config.limits.scheduler_restarts = 0;
  config.limits.scheduler_backoff_ms = 1;
  FakeKernel kernel({.hint_interval_ms = 0, .refuse_enforced = {}, .eject = true});
  Enforcement enforcement(config, kernel);
  CHECK(kernel.penalty().time_ns == 1'000'000'000);
  config.throttle = {.cgroups = {}, .percent = 50, .penalty_ms = 7};
  config.limits.scheduler_restarts = 1;
  enforcement.heed_config();
  CHECK(kernel.penalty().time_ns == 7'000'000);
  CHECK(kernel.penalty().quota_ns * 2 == kernel.penalty().period_ns);
  REQUIRE(enforcement.set_mode(Mode::enforced));
  CHECK(enforcement.restarts().ejections() == 1);
  CHECK_FALSE(enforcement.restarts().has_given_up());
}

TEST_CASE("a scheduler that the kernel ejects again and again is attached so many times, no more") {
  Config config;
  config.limits.scheduler_restarts = 2;
  config.limits.scheduler_backoff_ms = 1;
  FakeKernel kernel({.hint_interval_ms = 0, .refuse_enforced = {}, .eject = true});
  Enforcement enforcement(config, kernel);
  REQUIRE(enforcement.set_mode(Mode::enforced));
  for (int i = 0; i < 5000 && !enforcement.restarts().has_given_up(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    enforcement.tick();
  }
  CHECK(enforcement.restarts().ejections() == 3);
  CHECK(enforcement.mode() == Mode::enforced);
  CHECK_FALSE(enforcement.is_in_force());
  CHECK(enforcement.report().last_exit->reason == "ejected by the fake kernel");
  REQUIRE(enforcement.set_mode(Mode::observer));
  CHECK_FALSE(enforcement.restarts().has_given_up());
}
