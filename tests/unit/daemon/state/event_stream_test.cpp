// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/event_stream.hpp"

#include <catch2/catch_test_macros.hpp>

#include "proto/json.hpp"

using namespace morpheus::daemon;

TEST_CASE("a subscriber that is too slow loses events and learns how many") {
  EventStream stream;
  CHECK(stream.wanted() == EventDetail::own);
  auto slow = stream.subscribe(2);
  auto fast = stream.subscribe(10);
  PublishedEvent event;
  for (event.event.seq = 0; event.event.seq < 5; ++event.event.seq) stream.publish(event);
  const auto numbers = [](const nlohmann::json& reply) {
    std::vector<int> all;
    for (const auto& event : reply["events"]) all.push_back(event["seq"]);
    return all;
  };
  auto batch = slow->take(10);
  CHECK(batch["events"].size() == 2);
  CHECK(batch["dropped"] == 3);
  CHECK(slow->empty());
  CHECK(slow->take(10)["dropped"] == 0);
  CHECK(numbers(fast->take(3)) == std::vector{0, 1, 2});
  CHECK(numbers(fast->take(3)) == std::vector{3, 4});
}

TEST_CASE("a subscription ends with its pointer, even while it is woken") {
  EventStream stream;
  auto first = stream.subscribe(2);
  auto second = stream.subscribe(2);
  bool second_woken = false;
  first->wake = [&] { second.reset(); };
  second->wake = [&] { second_woken = true; };
  stream.wake_all();
  CHECK_FALSE(second_woken);
  first.reset();
  CHECK(stream.wanted() == EventDetail::own);
}

TEST_CASE("runs go to the subscribers that want them, and the kernel makes no more than that") {
  EventStream stream;
  auto plain = stream.subscribe(10);
  CHECK(stream.wanted() == EventDetail::hints);
  auto tracing = stream.subscribe(10, /*runs=*/true);
  CHECK(stream.wanted() == EventDetail::runs);
  PublishedEvent run, hint;
  run.event.type = MORPHEUS_EVENT_RUN;
  hint.event.type = MORPHEUS_EVENT_HINT;
  stream.publish(run);
  stream.publish(hint);
  CHECK(plain->take(10)["events"].size() == 1);
  CHECK(tracing->take(10)["events"].size() == 2);
  tracing.reset();
  CHECK(stream.wanted() == EventDetail::hints);
}
