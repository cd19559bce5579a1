// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/lifecycle.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <utility>

#include "daemon/names.hpp"

using namespace morpheus::daemon;

TEST_CASE("exactly the documented transitions are allowed") {
  const std::set<std::pair<int, int>> allowed{{MORPHEUS_WORKER_INIT, MORPHEUS_WORKER_REGISTERED},
                                              {MORPHEUS_WORKER_REGISTERED, MORPHEUS_WORKER_RUNNING},
                                              {MORPHEUS_WORKER_RUNNING, MORPHEUS_WORKER_QUIESCING},
                                              {MORPHEUS_WORKER_QUIESCING, MORPHEUS_WORKER_RUNNING},
                                              {MORPHEUS_WORKER_QUIESCING, MORPHEUS_WORKER_DEAD}};
  for (int from = 0; from < MORPHEUS_WORKER_STATE_COUNT; ++from)
    for (int to = 0; to < MORPHEUS_WORKER_STATE_COUNT; ++to)
      CHECK(transition_allowed(static_cast<morpheus_worker_state>(from),
                               static_cast<morpheus_worker_state>(to)) ==
            allowed.contains({from, to}));
}

TEST_CASE("names go both ways, and a value outside is UNKNOWN") {
  for (std::uint32_t s = 0; s < MORPHEUS_WORKER_STATE_COUNT; ++s)
    CHECK(worker_state_from(worker_state_name(s)) == static_cast<morpheus_worker_state>(s));
  CHECK_FALSE(worker_state_from("running"));
  CHECK(policy_name(0xffffffff) == "UNKNOWN");
  CHECK(event_type_name(MORPHEUS_EVENT_COUNT) == "UNKNOWN");
  CHECK(mode_from(mode_name(Mode::enforced)) == Mode::enforced);
  CHECK_FALSE(mode_from(""));
}
