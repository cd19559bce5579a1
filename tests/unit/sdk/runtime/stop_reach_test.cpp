// SPDX-License-Identifier: GPL-2.0-only
// How far a stop reaches, and that what it calls runs under no lock of the library.
#include <morpheus/cancellation.hpp>
#include <morpheus/event.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/when_all.hpp>
#include <morpheus/yield.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <stop_token>
#include <thread>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::several;

namespace {

/// Waits in contexts of all kinds within each other.
task<> wait_within(int depth, event& never, std::atomic<int>& waiting) {
  if (depth == 0) {
    ++waiting;
    co_await never;
    co_return;
  }
  switch (depth % 4) {
    case 0:
      co_await with_timeout(1h, wait_within(depth - 1, never, waiting));
      break;
    case 1:
      co_await when_all(wait_within(depth - 1, never, waiting), wait_within(0, never, waiting));
      break;
    case 2:
      co_await with_scope([&never, &waiting, depth](scope& scope) -> task<> {
        scope.spawn(wait_within(depth - 1, never, waiting));
        co_await never;
      });
      break;
    default:
      co_await wait_within(depth - 1, never, waiting);
  }
}

task<bool> ends_cancelled(task<> waits) {
  try {
    co_await std::move(waits);
  } catch (const cancelled&) {
    co_return true;
  }
  co_return false;
}

}  // namespace

TEST_CASE("a stop reaches waits in contexts within contexts, from any thread") {
  constexpr int kDepth = 61;
  const unsigned threads = GENERATE(1U, 3U);
  runtime runtime(several(threads));
  for (int round = 0; round < 40; ++round) {
    event never;
    std::atomic<int> waiting = 0, ended = 0;
    runtime.run([](int round, event& never, auto& waiting, auto& ended) -> task<> {
      scope scope;
      for (int i = 0; i < 4; ++i)
        scope.spawn([](task<bool> waits, auto& ended) -> task<> {
          if (co_await std::move(waits)) ++ended;
        }(ends_cancelled(wait_within(kDepth, never, waiting)), ended));
      if (round % 2 == 0)
        while (waiting < 4 * (kDepth / 4 + 2)) co_await yield();
      std::thread stopper([&scope] { scope.request_stop(); });
      co_await scope.join();
      stopper.join();
    }(round, never, waiting, ended));
    CHECK(ended == 4);
  }
}

TEST_CASE("tasks that come and go in one scope are reached, many at once, and one by one") {
  runtime runtime(alone());
  std::atomic<int> count = 0;
  runtime.run([](std::atomic<int>& count) -> task<> {
    event never;
    scope scope;
    for (int i = 0; i < 5000; ++i) {
      scope.spawn([](int i) -> task<> { co_await sleep_for(std::chrono::nanoseconds(i)); }(i));
      if (i % 7 == 0) co_await yield();
    }
    for (int i = 0; i < 5000; ++i)
      scope.spawn([](event& never, auto& count) -> task<> {
        if (co_await ends_cancelled([](event& never) -> task<> { co_await never; }(never))) ++count;
      }(never, count));
    co_await sleep_for(1ms);
    scope.request_stop();
    co_await scope.join();
  }(count));
  CHECK(count == 5000);
}

TEST_CASE("what a scope's token calls may use the scopes around") {
  const unsigned threads = GENERATE(1U, 3U);
  runtime runtime(several(threads));
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> called = 0;
    runtime.run([](std::atomic<int>& called) -> task<> {
      scope outer;
      outer.spawn([](scope& outer, std::atomic<int>& called) -> task<> {
        co_await with_scope([&](scope& inner) -> task<> {
          inner.spawn([](scope& outer, scope& inner, std::atomic<int>& called) -> task<> {
            event stopped;
            const std::stop_callback callback(inner.stop_token(), [&] {
              inner.request_stop();
              outer.request_stop();
              if (outer.stop_token().stop_requested()) ++called;
              stopped.set();
            });
            co_await shielded([](event& stopped) -> task<> { co_await stopped; }(stopped));
          }(outer, inner, called));
          co_return;
        });
      }(outer, called));
      co_await sleep_for(10us);
      outer.request_stop();
      co_await outer.join();
    }(called));
    CHECK(called == 1);
  }
}
