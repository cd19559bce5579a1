// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/refusal_log.hpp"

#include <catch2/catch_test_macros.hpp>

using morpheus::daemon::RefusalLog;
using namespace std::chrono_literals;

TEST_CASE("one line a second for each user and kind, with a count of the rest") {
  RefusalLog log;
  const auto start = RefusalLog::Clock::now();
  CHECK(log.should_log(1, "a", start) == 0u);
  CHECK_FALSE(log.should_log(1, "a", start));
  CHECK_FALSE(log.should_log(1, "a", start + 999ms));
  CHECK(log.should_log(1, "b", start) == 0u);
  CHECK(log.should_log(2, "a", start) == 0u);
  CHECK(log.should_log(1, "a", start + 1s) == 2u);
  CHECK(log.should_log(1, "a", start + 2s) == 0u);
}
