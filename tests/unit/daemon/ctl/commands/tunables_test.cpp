// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/tunables.hpp"

#include <catch2/catch_test_macros.hpp>

using morpheus::Json;
using namespace morpheus::ctl;

TEST_CASE("assignments take units") {
  Json into = Json::object();
  CHECK(parse_assignment("slice=5ms", into));
  CHECK(parse_assignment("grace_ns=7", into));
  CHECK(parse_assignment("min_run=0", into));
  CHECK(into == Json{{"slice_ns", 5'000'000}, {"grace_ns", 7}, {"min_run_ns", 0}});
  for (const char* bad : {"", "slice", "=5", "slice=", "slice=5h", "slice=-5", "slice=1.5ms",
                          "slice=99999999999999s"})
    CHECK_FALSE(parse_assignment(bad, into));
}
