// SPDX-License-Identifier: GPL-2.0-only
// Spawned tasks: asked to stop by their handle, and taken from a set as they end.
#include <morpheus/cancellation.hpp>
#include <morpheus/event.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/task_set.hpp>
#include <morpheus/when_any.hpp>
#include <morpheus/yield.hpp>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::several;

namespace {

task<int> after(event& go, int value) {
  co_await go;
  co_return value;
}
task<int> for_ever(std::atomic<int>& stopped) {
  event never;
  try {
    co_await never;
  } catch (const cancelled&) {
    ++stopped;
    throw;
  }
  co_return 0;
}
task<int> fail(const char* why) {
  co_await yield();
  throw std::runtime_error(why);
}

/// What the handle of an ended task gives: its value, or why it has none.
task<std::string> said(join_handle<int> ended) {
  std::string what;
  try {
    const int value = co_await ended;
    what = std::to_string(value);
  } catch (const std::exception& error) {
    what = error.what();
  }
  co_return what;
}

}  // namespace

TEST_CASE("a spawned task is asked to stop by its handle, wherever it waits, and no other is") {
  for (const auto& options : {alone(), several()}) {
    runtime on(options);
    on.run([]() -> task<> {
      std::atomic<int> stopped{0};
      auto first = spawn(for_ever(stopped));
      auto second = spawn(for_ever(stopped));
      co_await sleep_for(1ms);
      first.request_stop();
      const std::string what = co_await said(std::move(first));
      CHECK(what == cancelled().what());
      CHECK(stopped == 1);
      CHECK_FALSE(second.has_ended());
      second.request_stop();
      second.request_stop();
      const std::string again = co_await said(std::move(second));
      CHECK(again == cancelled().what());
    }());
  }
}

TEST_CASE(
    "a task that is asked to stop before it waits, or after its end, is not disturbed by it") {
  runtime on(alone());
  on.run([]() -> task<> {
    std::atomic<int> stopped{0};
    auto not_begun = spawn(for_ever(stopped));
    not_begun.request_stop();
    const std::string what = co_await said(std::move(not_begun));
    CHECK(what == cancelled().what());
    CHECK(stopped == 1);
    event set(true);
    auto ended = spawn(after(set, 7));
    co_await yield();
    CHECK(ended.has_ended());
    ended.request_stop();
    const int value = co_await ended;
    CHECK(value == 7);
  }());
}

TEST_CASE("a set gives the tasks that end first first, and nothing once none is left") {
  for (const auto& options : {alone(), several()}) {
    runtime on(options);
    on.run([]() -> task<> {
      event go[3];
      task_set<int> set;
      for (int i = 0; i < 3; ++i) set.spawn(after(go[i], i));
      CHECK(set.size() == 3);
      for (const int i : {2, 0, 1}) {
        go[i].set();
        auto ended = co_await set.next();
        REQUIRE(ended);
        const int value = co_await *ended;
        CHECK(value == i);
      }
      CHECK(set.size() == 0);
      const auto none = co_await set.next();
      CHECK_FALSE(none);
      set.spawn(after(go[0], 5));  // it may be used again
      int sum = 0;
      for (auto ended = co_await set.next(); ended; ended = co_await set.next())
        sum += co_await *ended;
      CHECK(sum == 5);
    }());
  }
}

TEST_CASE("tasks that end before a set is asked are given in the order in which they ended") {
  runtime on(alone());
  on.run([]() -> task<> {
    event go[3];
    task_set<int> set;
    for (int i = 0; i < 3; ++i) set.spawn(after(go[i], i));
    std::vector<int> given;
    for (const int i : {2, 0, 1}) {
      co_await yield();
      go[i].set();
    }
    co_await yield();
    for (auto ended = co_await set.next(); ended; ended = co_await set.next())
      given.push_back(co_await *ended);
    CHECK(given == std::vector{2, 0, 1});
  }());
}

TEST_CASE("a task of a set that fails is heard by its handle, and leaves the others alone") {
  runtime on(alone());
  on.run([]() -> task<> {
    event go;
    task_set<int> set;
    set.spawn(fail("no page"));
    set.spawn(after(go, 1));
    auto failed = co_await set.next();
    const std::string why = co_await said(std::move(*failed));
    CHECK(why == "no page");
    go.set();
    auto ended = co_await set.next();
    const std::string value = co_await said(std::move(*ended));
    CHECK(value == "1");
  }());
}

TEST_CASE("a set's stop reaches all of its tasks, and their handles say so") {
  for (const auto& options : {alone(), several()}) {
    runtime on(options);
    on.run([]() -> task<> {
      std::atomic<int> stopped{0};
      task_set<int> set;
      for (int i = 0; i < 1000; ++i) set.spawn(for_ever(stopped));
      co_await sleep_for(1ms);
      set.request_stop();
      int given = 0;
      for (auto ended = co_await set.next(); ended; ended = co_await set.next()) {
        const std::string what = co_await said(std::move(*ended));
        given += what == cancelled().what() ? 1 : 0;
      }
      CHECK(given == 1000);
      CHECK(stopped == 1000);
    }());
  }
}

TEST_CASE("a set that goes asks its tasks to stop, and the runtime waits for them") {
  std::atomic<int> stopped{0};
  {
    runtime on(several());
    on.run([](std::atomic<int>& count) -> task<> {
      task_set<int> set;
      event ready(true);
      for (int i = 0; i < 100; ++i) set.spawn(for_ever(count));
      for (int i = 0; i < 100; ++i) set.spawn(after(ready, i));  // ended, and never taken
      co_await sleep_for(1ms);
    }(stopped));
  }
  CHECK(stopped == 100);
}

TEST_CASE("a stop of the owner ends its wait for a set, and leaves the tasks alone") {
  runtime on(alone());
  on.run([]() -> task<> {
    event go;
    task_set<int> set;
    set.spawn(after(go, 3));
    bool is_late = false;
    try {
      (void)co_await with_timeout(1ms, set.next());
    } catch (const timed_out&) {
      is_late = true;
    }
    CHECK(is_late);
    CHECK(set.size() == 1);
    go.set();
    auto ended = co_await set.next();
    REQUIRE(ended);
    const int value = co_await *ended;
    CHECK(value == 3);
  }());
}

TEST_CASE(
    "a set is one of several things to wait for, and its task is not lost if another is first") {
  runtime on(alone());
  on.run([]() -> task<> {
    event go;
    task_set<int> set;
    set.spawn(after(go, 3));
    {
      const auto [ended, late] = co_await when_any(set.next(), sleep_for(1ms));
      CHECK(late);
      CHECK_FALSE(ended);
    }
    go.set();
    auto [ended, late] = co_await when_any(set.next(), sleep_for(1h));
    CHECK_FALSE(late);
    const int value = co_await **ended;
    CHECK(value == 3);
  }());
}

TEST_CASE("tasks of a set run in a group, on one thread, and are given from outside the runtime") {
  runtime on(several(3));
  const auto group = on.add_group({.name = "background"});
  const auto second = on.on_thread(1);
  task_set<std::string> set;
  const auto name = []() -> task<std::string> {
    co_await yield();
    char name[16] = {};
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    co_return name;
  };
  set.spawn(on, name());
  set.spawn(group, name());
  for (int i = 0; i < 20; ++i) set.spawn(second, name());
  const auto before = group.run_time();
  const long there = on.run([](task_set<std::string>& named) -> task<long> {
    std::vector<std::string> names;
    for (auto ended = co_await named.next(); ended; ended = co_await named.next())
      names.push_back(co_await *ended);
    CHECK(names.size() == 22);
    co_return std::ranges::count(names, "task/1");
  }(set));
  CHECK(there >= 20);
  CHECK(group.run_time() >= before);
}

TEST_CASE("several tasks may wait for a set: each gets a task of its own, the others nothing") {
  for (const auto& options : {alone(), several()}) {
    runtime on(options);
    on.run([]() -> task<> {
      event go;
      task_set<int> set;
      for (int i = 0; i < 3; ++i) set.spawn(after(go, 1));
      std::atomic<int> given{0}, nothing{0};
      const auto take = [&]() -> task<> {
        auto ended = co_await set.next();
        if (ended)
          given += co_await *ended;
        else
          ++nothing;
      };
      scope takers;
      for (int i = 0; i < 5; ++i) takers.spawn(take());
      co_await sleep_for(1ms);
      go.set();
      co_await takers.join();
      CHECK(given == 3);
      CHECK(nothing == 2);
    }());
  }
}

TEST_CASE("what tasks of a set give may be nothing, a reference, or something that only moves") {
  runtime on(alone());
  on.run([]() -> task<> {
    int target = 0;
    task_set<int&> references;
    references.spawn([](int& to) -> task<int&> { co_return to; }(target));
    auto reference = co_await references.next();
    int& got = co_await *reference;
    CHECK(&got == &target);
    task_set<void> nothing;
    nothing.spawn([](int& to) -> task<> {
      to = 4;
      co_return;
    }(target));
    auto ended = co_await nothing.next();
    co_await *ended;
    CHECK(target == 4);
    task_set<std::unique_ptr<int>> owners;
    owners.spawn([]() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(6); }());
    auto owner = co_await owners.next();
    const auto owned = co_await *owner;
    CHECK(*owned == 6);
  }());
}
