// SPDX-License-Identifier: GPL-2.0-only
// Groups of tasks that share threads by weight, and tasks that stay on one thread.
#include <morpheus/blocking.hpp>
#include <morpheus/channel.hpp>
#include <morpheus/event.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/when_all.hpp>
#include <morpheus/yield.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::several;
using morpheus::test::spin_for;
using Clock = std::chrono::steady_clock;

namespace {

/// CPU time of the calling thread: shares are shares of it, even on a busy machine.
std::chrono::nanoseconds thread_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

/// Counts its turns of 5 us until it is over.
task<> turn(std::atomic<bool>& over, std::atomic<long>& turns) {
  while (!over) {
    const auto begun = thread_time();
    while (thread_time() - begun < 5us) {
    }
    ++turns;
    co_await yield();
  }
}

task<> wait_for(join_handle<void> done) { co_await done; }

task<unsigned> thread_index() {
  // threads are called NAME/INDEX
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof name);
  const std::string text = name;
  co_return static_cast<unsigned>(std::stoul(text.substr(text.find('/') + 1)));
}

}  // namespace

TEST_CASE("groups get CPU time in proportion to their shares, and none starves") {
  runtime runtime(alone());
  const auto much = runtime.add_group({.name = "much", .shares = 800});
  const auto little = runtime.add_group({.name = "little", .shares = 200});
  std::atomic<bool> over{false};
  std::atomic<long> turns[2] = {0, 0};
  // more tasks do not make a larger share
  for (int i = 0; i < 4; ++i) little.spawn(turn(over, turns[1])).detach();
  much.spawn(turn(over, turns[0])).detach();
  while (turns[0] + turns[1] < 20'000) std::this_thread::sleep_for(1ms);
  over = true;
  const double share = static_cast<double>(turns[0]) / static_cast<double>(turns[0] + turns[1]);
  CHECK(share > 0.6);  // 0.8, if the kernel let the thread run all the time
  CHECK(share < 0.95);
  CHECK(much.run_time() > 2 * little.run_time());
  CHECK(much.name() == "much");
  CHECK(much.shares() == 800);
}

TEST_CASE("a group that is alone gets all of the time, and a late one no credit for it") {
  runtime runtime(alone());
  const auto late = runtime.add_group({.name = "late"});
  std::atomic<bool> over{false};
  std::atomic<long> turns[2] = {0, 0};
  runtime.spawn(turn(over, turns[0])).detach();
  while (turns[0] < 10'000) std::this_thread::sleep_for(1ms);
  late.spawn(turn(over, turns[1])).detach();
  while (turns[1] == 0) std::this_thread::yield();
  const long before = turns[0];
  while (turns[1] < 10'000) std::this_thread::sleep_for(1ms);
  over = true;
  // with credit for the time before, the late one would have run alone
  CHECK(turns[0] - before > 5'000);
}

TEST_CASE("a task of a group with many shares does not wait for tasks of one with few") {
  runtime runtime(alone());
  const auto background = runtime.add_group({.name = "background", .shares = 1});
  std::atomic<bool> over{false};
  std::atomic<long> turns{0};
  for (int i = 0; i < 200; ++i) background.spawn(turn(over, turns)).detach();
  runtime.run([](std::atomic<long>& turns) -> task<> {
    while (turns < 1000) co_await sleep_for(1ms);
    long most = 0;
    for (int i = 0; i < 50; ++i) {
      co_await sleep_for(1ms);
      const long before = turns;
      for (int k = 0; k < 10; ++k) co_await yield();
      most = std::max(most, turns - before);
    }
    CHECK(most < 100);  // of 200 that are ready all the time, ten times over
  }(turns));
  over = true;
}

TEST_CASE("what a task of a group starts and waits for stays in the group") {
  runtime runtime(several(2));
  const auto group = runtime.add_group({.name = "group"});
  event outside;
  channel<int> numbers(1);
  const auto sums = [&](std::string expected) -> task<int> {
    const auto one = []() -> task<int> {
      co_await yield();
      co_return 1;
    };
    co_await outside;
    auto [a, b] = co_await when_all(one(), one());
    const int c = co_await blocking([] { return 1; });
    co_await sleep_for(1ms);
    auto handle = spawn(one());
    const int d = co_await handle;
    const auto e = co_await numbers.receive();
    scope scope;
    scope.spawn(one());
    co_await scope.join();
    (void)expected;
    co_return a + b + c + d + *e;
  };
  auto sum = group.spawn(sums("group"));
  const int got =
      runtime.run([](join_handle<int> sum, event& outside, channel<int>& numbers) -> task<int> {
        outside.set();
        (void)co_await numbers.send(1);
        const int got = co_await sum;
        co_return got;
      }(std::move(sum), outside, numbers));
  CHECK(got == 5);
  CHECK(group.run_time() > 0ns);
}

TEST_CASE(
    "a task on one thread stays there, whatever it waits for and whichever thread has no work") {
  runtime runtime(several(3));
  for (unsigned index = 0; index < 3; ++index) {
    const auto here = runtime.on_thread(index);
    event outside;
    std::atomic<int> elsewhere{0};
    const auto stay = [&](unsigned mine) -> task<> {
      const auto check = [&]() -> task<> {
        const unsigned at = co_await thread_index();
        if (at != mine) ++elsewhere;
      };
      scope scope;
      for (int i = 0; i < 100; ++i) {
        scope.spawn(check());
        co_await check();
        co_await yield();
        co_await when_all(check(), check());
        if (i % 10 == 0) co_await sleep_for(100us);
        if (i % 10 == 5) co_await blocking([] {});
        spin_for(20us);  // the other threads have nothing to do
      }
      co_await outside;
      co_await check();
      co_await scope.join();
    };
    auto done = here.spawn(stay(index));
    std::this_thread::sleep_for(5ms);
    outside.set();
    runtime.run(wait_for(std::move(done)));
    CHECK(elsewhere == 0);
  }
}

TEST_CASE("a task on a thread that makes no step waits for it, while others are taken over") {
  runtime runtime(several(2));
  std::atomic<bool> is_held{false}, free{false}, kept{false}, taken{false};
  runtime.on_thread(0)
      .spawn([](std::atomic<bool>& is_held, std::atomic<bool>& free) -> task<> {
        is_held = true;
        while (!free) std::this_thread::yield();
        co_return;
      }(is_held, free))
      .detach();
  while (!is_held) std::this_thread::yield();
  const auto mark = [](std::atomic<bool>& flag) -> task<> {
    flag = true;
    co_return;
  };
  runtime.on_thread(0).spawn(mark(kept)).detach();
  runtime.spawn(mark(taken)).detach();
  const auto begun = Clock::now();
  while (!taken && Clock::now() - begun < 10s) std::this_thread::yield();
  CHECK(taken);
  std::this_thread::sleep_for(20ms);  // the watching thread looks every 2 ms
  CHECK_FALSE(kept);
  free = true;
  while (!kept && Clock::now() - begun < 20s) std::this_thread::yield();
  CHECK(kept);
}

TEST_CASE("a thread whose only tasks are its own wakes no other") {
  runtime runtime(several(2));
  const auto before = runtime.stats().at(1).sleeps;
  auto done = runtime.on_thread(0).spawn([]() -> task<> {
    scope scope;
    for (int i = 0; i < 1000; ++i) scope.spawn([]() -> task<> { co_await yield(); }());
    co_await scope.join();
  }());
  runtime.run(wait_for(std::move(done)));
  CHECK(runtime.stats().at(1).sleeps - before < 20);
}

TEST_CASE("a runtime waits for the tasks of its groups") {
  std::atomic<int> ended{0};
  {
    runtime runtime(several(2));
    const auto group = runtime.add_group({});
    for (int i = 0; i < 50; ++i) {
      group
          .spawn([](std::atomic<int>& ended, scheduling_group next) -> task<> {
            for (int k = 0; k < 10; ++k) co_await yield();  // a wait would be stopped
            next.spawn([](std::atomic<int>& ended) -> task<> {
                  co_await yield();
                  ++ended;
                }(ended))
                .detach();
          }(ended, runtime.on_thread(static_cast<unsigned>(i % 2))))
          .detach();
    }
  }
  CHECK(ended == 50);
}

TEST_CASE("impossible groups are refused") {
  runtime runtime(alone());
  CHECK_THROWS_AS(runtime.add_group({.shares = 0}), std::invalid_argument);
  CHECK_THROWS_AS(runtime.add_group({.shares = 100'001}), std::invalid_argument);
  CHECK_THROWS_AS(runtime.on_thread(1), std::out_of_range);
  for (int i = 0; i < 14; ++i) (void)runtime.add_group({});
  CHECK_THROWS_AS(runtime.add_group({}), std::length_error);
}
