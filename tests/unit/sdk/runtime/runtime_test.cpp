// SPDX-License-Identifier: GPL-2.0-only
// Which task runs when, and where.
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/when_all.hpp>
#include <morpheus/yield.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <ctime>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using morpheus::test::alone;
using morpheus::test::several;
using morpheus::test::spin_for;

namespace {

task<> write(std::string& log, char mark, int turns) {
  for (int i = 0; i < turns; ++i) {
    log += mark;
    co_await yield();
  }
}

task<std::string> take_turns() {
  std::string log;
  scope scope;
  for (char mark = 'a'; mark < 'e'; ++mark) scope.spawn(write(log, mark, 3));
  co_await scope.join();
  co_return log;
}

task<std::uint64_t> fib(unsigned n) {
  if (n < 2) co_return n;
  auto [a, b] = co_await when_all(fib(n - 1), fib(n - 2));
  co_return a + b;
}

}  // namespace

TEST_CASE("without hints one thread runs tasks in the same order every time") {
  for (int round = 0; round < 100; ++round) {
    runtime runtime(alone());
    REQUIRE(runtime.run(take_turns()) == "abcdabcdabcd");
  }
}

TEST_CASE("yield lets every other ready task run first, however full the queue is") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    for (const int others : {1, 2, 255, 256, 257, 10'000}) {
      int ran = 0;
      scope scope;
      for (int i = 0; i < others; ++i) {
        scope.spawn([](int& ran) -> task<> {
          ++ran;
          co_await yield();
          ++ran;
        }(ran));
      }
      co_await yield();
      CHECK(ran == others);
      co_await yield();
      CHECK(ran == 2 * others);
      co_await scope.join();
    }
  }());
}

TEST_CASE("yield lets a forked sibling run") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    bool flag = false;
    const auto wait = [](bool& flag) -> task<> {
      while (!flag) co_await yield();
    };
    const auto set = [](bool& flag) -> task<> {
      flag = true;
      co_return;
    };
    co_await when_all(wait(flag), set(flag));
    CHECK(flag);
  }());
}

TEST_CASE("spawn gives a handle to the result") {
  runtime runtime(alone());
  const int got = runtime.run([]() -> task<int> {
    auto handle = spawn([]() -> task<int> {
      co_await yield();
      co_return 5;
    }());
    CHECK_FALSE(handle.has_ended());
    auto failing = spawn([]() -> task<int> {
      throw std::runtime_error("spawned");
      co_return 0;
    }());
    const int value = co_await handle;
    bool thrown = false;
    try {
      co_await failing;
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    CHECK(thrown);
    co_return value;
  }());
  CHECK(got == 5);
}

TEST_CASE("a runtime waits for what was spawned on it") {
  std::atomic<int> ended{0};
  {
    runtime runtime(several());
    for (int i = 0; i < 100; ++i) {
      runtime
          .spawn([](std::atomic<int>& ended) -> task<> {
            for (int k = 0; k < 10; ++k) co_await yield();
            ended.fetch_add(1);
          }(ended))
          .detach();
    }
  }
  CHECK(ended == 100);
}

TEST_CASE("a scope's first exception stops the scope and reaches its owner") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    int stopped = 0;
    scope scope;
    for (int i = 0; i < 3; ++i) {
      scope.spawn([](std::stop_token stop, int& stopped) -> task<> {
        while (!stop.stop_requested()) co_await yield();
        ++stopped;
      }(scope.stop_token(), stopped));
    }
    scope.spawn([]() -> task<> {
      co_await yield();
      throw std::runtime_error("first");
    }());
    bool thrown = false;
    try {
      co_await scope.join();
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    CHECK(thrown);
    CHECK(stopped == 3);
    co_await scope.join();  // nothing is left, and nothing is thrown twice
  }());
}

TEST_CASE("with_scope joins although its body throws") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    bool stopped = false;
    const auto body = [&stopped](scope& scope) -> task<int> {
      scope.spawn([](std::stop_token stop, bool& stopped) -> task<> {
        while (!stop.stop_requested()) co_await yield();
        stopped = true;
      }(scope.stop_token(), stopped));
      co_await yield();
      throw std::runtime_error("body");
      co_return 0;
    };
    bool thrown = false;
    try {
      co_await with_scope(body);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    CHECK(thrown);
    CHECK(stopped);
    const int value = co_await with_scope([](scope&) -> task<int> { co_return 3; });
    CHECK(value == 3);
  }());
}

TEST_CASE("an outer stop reaches a scope") {
  runtime runtime(alone());
  runtime.run([](morpheus::runtime& on) -> task<> {
    scope scope(on.stop_token());
    CHECK_FALSE(scope.stop_token().stop_requested());
    on.request_stop();
    CHECK(scope.stop_token().stop_requested());
    co_return;
  }(runtime));
}

TEST_CASE("forks are joined correctly on several threads") {
  for (int round = 0; round < 20; ++round) {
    runtime runtime(several());
    REQUIRE(runtime.run(fib(18)) == 2584);
  }
}

TEST_CASE("threads without work take some from those that have it") {
  runtime runtime(several());
  const auto threads = runtime.run([]() -> task<std::set<std::thread::id>> {
    std::mutex lock;
    std::set<std::thread::id> seen;
    scope scope;
    for (int i = 0; i < 400; ++i) {
      scope.spawn([](std::mutex& lock, std::set<std::thread::id>& seen) -> task<> {
        for (int k = 0; k < 10; ++k) {
          spin_for(std::chrono::microseconds(50));
          co_await yield();
        }
        const std::scoped_lock guard(lock);
        seen.insert(std::this_thread::get_id());
      }(lock, seen));
    }
    co_await scope.join();
    co_return seen;
  }());
  CHECK(threads.size() == 4);
}

TEST_CASE("a thread that makes no step loses what waits behind it") {
  runtime runtime(several(2));
  runtime.run([]() -> task<> {
    std::atomic<bool> has_run{false};
    scope scope;
    scope.spawn([](std::atomic<bool>& has_run) -> task<> {
      has_run = true;
      co_return;
    }(has_run));
    // no safe point here: only another thread can run the task
    const auto begun = std::chrono::steady_clock::now();
    while (!has_run && std::chrono::steady_clock::now() - begun < std::chrono::seconds(5)) {
    }
    CHECK(has_run);
    co_await scope.join();
  }());
}

TEST_CASE("a runtime that has nothing to do uses no CPU") {
  runtime runtime(several());
  runtime.run([]() -> task<> { co_await yield(); }());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  timespec before{};
  timespec after{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  const auto used =
      (after.tv_sec - before.tv_sec) * 1'000'000'000L + after.tv_nsec - before.tv_nsec;
  CHECK(used < 3'000'000);  // a hundredth
}

TEST_CASE(
    "a program that was compiled with other headers gets an error before anything goes wrong") {
  detail::layout other;
  other.of_runner += 8;
  CHECK_THROWS_AS(runtime(alone(), other), std::logic_error);
}

TEST_CASE("a thread does not spin until its next timer") {
  runtime runtime(alone());
  timespec before{};
  timespec after{};
  const auto begun = std::chrono::steady_clock::now();
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  runtime.run([]() -> task<> {
    for (int i = 0; i < 3000; ++i) co_await sleep_for(std::chrono::microseconds(30));
  }());
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  const std::chrono::duration<double> lasted = std::chrono::steady_clock::now() - begun;
  const double used = static_cast<double>(after.tv_sec - before.tv_sec) +
                      static_cast<double>(after.tv_nsec - before.tv_nsec) * 1e-9;
  CHECK(used < 0.6 * lasted.count());
}

TEST_CASE("many threads may spawn at once") {
  runtime runtime(several(3));
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 500; ++k)
        runtime.run([](std::atomic<int>& ran) -> task<> {
          ran.fetch_add(1);
          co_return;
        }(ran));
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(ran == 2000);
}
