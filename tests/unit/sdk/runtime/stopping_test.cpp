// SPDX-License-Identifier: GPL-2.0-only
// Tasks that stop to wait because they are asked to.
#include <morpheus/channel.hpp>
#include <morpheus/event.hpp>
#include <morpheus/mutex.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/semaphore.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::several;
using Clock = std::chrono::steady_clock;

namespace {

/// Awaits what `wait()` gives. Whether that throws `cancelled`.
template <class F>
task<bool> is_stopped(F wait) {
  try {
    (void)co_await wait();
  } catch (const cancelled&) {
    co_return true;
  }
  co_return false;
}

}  // namespace

TEST_CASE("every task that waits can be asked to stop") {
  runtime runtime(several(2));
  for (int round = 0; round < 50; ++round) {
    runtime.run([](int round) -> task<> {
      std::stop_source stop;
      event never;
      semaphore none(0);
      channel<int> empty(1);
      channel<int> full(0);
      mutex held;
      auto guard = co_await held.lock();
      if (round % 3 == 0) stop.request_stop();
      std::thread stopper;
      if (round % 3 == 1) stopper = std::thread([&stop] { stop.request_stop(); });
      const std::stop_token token = stop.get_token();
      join_handle<bool> waiting[] = {
          spawn(is_stopped([&] { return never.wait(token); })),
          spawn(is_stopped([&] { return none.acquire(token); })),
          spawn(is_stopped([&] { return empty.receive(token); })),
          spawn(is_stopped([&] { return full.send(1, token); })),
          spawn(is_stopped([&] { return held.lock(token); })),
          spawn(is_stopped([&] { return sleep_for(1h, token); })),
      };
      if (round % 3 == 2) {
        co_await yield();
        stop.request_stop();
      }
      // not inside CHECK, which would await more than once
      int stopped = 0;
      for (auto& each : waiting) stopped += co_await each ? 1 : 0;
      CHECK(stopped == 6);
      if (stopper.joinable()) stopper.join();
    }(round));
  }
}

TEST_CASE("a stop that meets a release resumes each task once") {
  // The tasks that are released are resumed one after the other, and the stop comes in between.
  constexpr int kTasks = 64;
  runtime runtime(several(2));
  for (int round = 0; round < 300; ++round) {
    runtime.run([](int round) -> task<> {
      std::stop_source stop;
      event ready;
      semaphore permits(0);
      std::atomic<int> waiting = 0, served = 0, stopped = 0;
      std::atomic<bool> goes = false;
      const auto waits = [&](bool for_event) -> task<> {
        ++waiting;
        try {
          if (for_event)
            co_await ready.wait(stop.get_token());
          else
            co_await permits.acquire(stop.get_token());
          ++served;
        } catch (const cancelled&) {
          ++stopped;
        }
      };
      scope scope;
      for (int i = 0; i < kTasks; ++i) scope.spawn(waits(i % 2 == 0));
      while (waiting < kTasks) co_await yield();
      std::thread stopper([&] {
        while (!goes) {
        }
        stop.request_stop();
      });
      goes = true;
      test::spin_for(std::chrono::nanoseconds(round * 20));
      ready.set();
      permits.release(kTasks / 2);
      stopper.join();
      co_await scope.join();
      CHECK(served + stopped == kTasks);
    }(round));
  }
}

TEST_CASE("timers end in order, equal ones as they began, whichever of them are stopped") {
  constexpr int kTimers = 1000;
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    const auto base = Clock::now() + 200ms;
    const auto due = [&](int i) { return base + std::chrono::microseconds(i * 7919 % 97 * 10); };
    std::vector<int> ended;
    std::vector<std::stop_source> stops(kTimers);
    int stopped_early = 0;
    const auto plain = [&](int i) -> task<> {
      co_await sleep_until(due(i));
      ended.push_back(i);
    };
    const auto stoppable = [&](int i) -> task<> {
      try {
        co_await sleep_until(due(i), stops[static_cast<std::size_t>(i)].get_token());
        ended.push_back(i);
      } catch (const cancelled&) {
        stopped_early += Clock::now() < base ? 1 : 0;
      }
    };
    scope scope;
    for (int i = 0; i < kTimers; ++i) scope.spawn(i % 2 == 0 ? plain(i) : stoppable(i));
    co_await yield();  // all wait
    std::vector<int> left;
    for (int i = 0; i < kTimers; ++i) {
      if (i % 6 == 1)
        stops[static_cast<std::size_t>(i)].request_stop();
      else
        left.push_back(i);
    }
    co_await scope.join();
    CHECK(stopped_early == kTimers - std::ssize(left));
    std::ranges::sort(left, {}, [&](int i) { return std::pair(due(i), i); });
    CHECK(ended == left);
  }());
}
