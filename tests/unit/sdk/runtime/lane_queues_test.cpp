// SPDX-License-Identifier: GPL-2.0-only
// Whose turn it is among the lanes of a thread.
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "sdk/src/runtime/thread/lane_queues.hpp"

using namespace morpheus;
using sdk::LaneQueues;

namespace {

/// Lanes that always have a job each; the lane whose turn it is runs for 10 us.
struct Lanes {
  LaneQueues queues;
  std::array<detail::job, LaneQueues::kMost> jobs{};
  void put(unsigned lane) {
    detail::job_list one;
    one.push(&jobs[lane]);
    queues.put(lane, one);
  }
  unsigned run(unsigned shares) {
    const unsigned lane = queues.next();
    (void)queues.take(lane);
    queues.charge(lane, 10'000, shares);
    return lane;
  }
};

}  // namespace

TEST_CASE("lanes take turns by their shares") {
  Lanes lanes;
  const std::array<unsigned, 3> shares{1000, 500, 100};
  std::array<int, 3> turns{};
  for (unsigned lane = 0; lane < 3; ++lane) lanes.put(lane);
  for (int i = 0; i < 1600; ++i) {
    const unsigned lane = lanes.run(shares[lanes.queues.next()]);
    ++turns[lane];
    lanes.put(lane);
  }
  CHECK(std::abs(turns[0] - 1000) <= 2);
  CHECK(std::abs(turns[1] - 500) <= 2);
  CHECK(std::abs(turns[2] - 100) <= 2);
}

TEST_CASE("a lane that had nothing to do gets no credit for it") {
  Lanes lanes;
  for (int i = 0; i < 1000; ++i) lanes.queues.charge(0, 10'000, 1000);  // it runs all the time
  lanes.put(0);
  lanes.put(1);
  int turns = 0;
  for (int i = 0; i < 100; ++i) {
    const unsigned lane = lanes.run(1000);
    turns += lane == 1 ? 1 : 0;
    lanes.put(lane);
  }
  CHECK(std::abs(turns - 50) <= 1);
}

TEST_CASE("the lanes that wait are known") {
  Lanes lanes;
  CHECK(lanes.queues.empty());
  lanes.put(3);
  lanes.put(15);
  CHECK(lanes.queues.waiting() == (1U << 3 | 1U << 15));
  CHECK_FALSE(lanes.queues.take(3).empty());
  CHECK(lanes.queues.next() == 15);
  CHECK_FALSE(lanes.queues.take_half(15, 64).empty());
  CHECK(lanes.queues.empty());
}
