// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/event_stream.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace morpheus::daemon;

TEST_CASE("a subscriber that is too slow loses events and learns how many") {
  EventStream stream;
  CHECK(stream.wanted() == EventDetail::own);
  auto slow = stream.subscribe(2);
  auto fast = stream.subscribe(10);
  for (int i = 0; i < 5; ++i) stream.publish(i);
  auto batch = slow->take(10);
  CHECK(batch["events"].size() == 2);
  CHECK(batch["dropped"] == 3);
  CHECK(slow->empty());
  CHECK(slow->take(10)["dropped"] == 0);
  CHECK(fast->take(3)["events"] == nlohmann::json({0, 1, 2}));
  CHECK(fast->take(3)["events"] == nlohmann::json({3, 4}));
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

TEST_CASE("runs go to those who want them, and the kernel is asked for no more than that") {
  EventStream stream;
  auto plain = stream.subscribe(10);
  CHECK(stream.wanted() == EventDetail::hints);
  auto tracing = stream.subscribe(10, /*runs=*/true);
  CHECK(stream.wanted() == EventDetail::runs);
  stream.publish("run", /*is_run=*/true);
  stream.publish("hint");
  CHECK(plain->take(10)["events"] == nlohmann::json({"hint"}));
  CHECK(tracing->take(10)["events"] == nlohmann::json({"run", "hint"}));
  tracing.reset();
  CHECK(stream.wanted() == EventDetail::hints);
}
