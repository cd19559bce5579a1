// SPDX-License-Identifier: GPL-2.0-only
#include "proto/scb.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <set>
#include <utility>

TEST_CASE("policy: the lifecycle allows exactly the documented transitions") {
  const std::set<std::pair<unsigned, unsigned>> allowed = {
      {MORPHEUS_WORKER_INIT, MORPHEUS_WORKER_REGISTERED},
      {MORPHEUS_WORKER_REGISTERED, MORPHEUS_WORKER_RUNNING},
      {MORPHEUS_WORKER_RUNNING, MORPHEUS_WORKER_QUIESCING},
      {MORPHEUS_WORKER_QUIESCING, MORPHEUS_WORKER_RUNNING},
      {MORPHEUS_WORKER_QUIESCING, MORPHEUS_WORKER_DEAD}};
  for (unsigned from = 0; from < 8; ++from)
    for (unsigned to = 0; to < 8; ++to)
      CHECK((morpheus_transition_allowed(from, to) != 0) == allowed.contains({from, to}));
}
