// SPDX-License-Identifier: GPL-2.0-only
// What a runtime reports about itself.
#include <morpheus/diagnosis.hpp>
#include <morpheus/event.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <csignal>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::spin_for;
using Clock = std::chrono::steady_clock;

namespace {

task<> wait_for(event& ready) { co_await ready; }
task<> outer(event& ready) { co_await wait_for(ready); }

struct Stalls {
  std::mutex lock;
  std::vector<stall> seen;
  [[nodiscard]] runtime_options options() {
    runtime_options options = alone();
    options.stall_threshold = 20ms;
    options.on_stall = [this](const stall& found) {
      const std::scoped_lock guard(lock);
      seen.push_back(found);
    };
    return options;
  }
};

}  // namespace

TEST_CASE("a dump shows every task, where it waits and what waits for it") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    event ready;
    scope scope;
    scope.spawn(named("reader", outer(ready)));
    scope.spawn(wait_for(ready));
    co_await yield();
    std::ostringstream out;
    dump_tasks(out);
    const std::string text = out.str();
    INFO(text);
    CHECK(text.find("\"reader\"") != std::string::npos);
    CHECK(text.find("wait_for(") != std::string::npos);
    CHECK(text.find("outer(") != std::string::npos);
    CHECK(text.find("diagnosis_test.cpp:") != std::string::npos);
    const auto all = tasks();
    const auto waiting = std::ranges::count_if(all, [](const task_info& task) {
      return task.function.find("wait_for(") != std::string::npos;
    });
#ifdef __clang__  // the one that outer() awaits may live in its frame
    CHECK(waiting >= 1);
#else
    CHECK(waiting == 2);
#endif
    ready.set();
    co_await scope.join();
  }());
  CHECK(tasks().empty());
}

TEST_CASE("a dump can be made while tasks come and go") {
  runtime runtime(morpheus::test::several(3));
  std::atomic<bool> is_over{false};
  std::thread dumper([&] {
    while (!is_over) {
      std::ostringstream out;
      dump_tasks(out);
    }
  });
  runtime.run([]() -> task<> {
    for (int round = 0; round < 200; ++round) {
      scope scope;
      for (int i = 0; i < 50; ++i) scope.spawn([]() -> task<> { co_await yield(); }());
      co_await scope.join();
    }
  }());
  is_over = true;
  dumper.join();
}

TEST_CASE("a signal writes the dump to standard error") {
  runtime runtime(alone());
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const int before = ::dup(2);
  event ready;
  auto waiting = runtime.spawn(named("sleeper", wait_for(ready)));
  runtime.run([]() -> task<> { co_await yield(); }());
  dump_tasks_on(SIGUSR1);
  ::dup2(ends[1], 2);
  ::raise(SIGUSR1);
  std::string text;
  char part[256];
  while (text.find("wait_for(") == std::string::npos) {
    const ssize_t got = ::read(ends[0], part, sizeof part);
    if (got <= 0) break;
    text.append(part, static_cast<std::size_t>(got));
  }
  ::dup2(before, 2);
  CHECK(text.find("\"sleeper\"") != std::string::npos);
  ready.set();
  waiting.detach();
  for (const int fd : {ends[0], ends[1], before}) ::close(fd);
}

TEST_CASE("a stall names the task, and tells running from sleeping") {
  Stalls stalls;
  {
    runtime runtime(stalls.options());
    runtime.run(named("hog", []() -> task<> {
      co_await yield();
      spin_for(200ms);
    }()));
    runtime.run(named("sleeper", []() -> task<> {
      co_await yield();
      std::this_thread::sleep_for(200ms);
    }()));
  }
  REQUIRE(stalls.seen.size() == 2);
  const stall& hog = stalls.seen[0];
  const stall& sleeper = stalls.seen[1];
  INFO(to_string(hog));
  INFO(to_string(sleeper));
  CHECK(hog.task == "hog");
  CHECK(hog.lasting >= 20ms);
  CHECK(hog.blocked < hog.lasting / 2);
  CHECK(std::string(hog.where.file_name()).find("diagnosis_test.cpp") != std::string::npos);
  CHECK(sleeper.task == "sleeper");
  CHECK(sleeper.blocked > sleeper.lasting / 2);
}

TEST_CASE("tasks that give way cause no stall") {
  Stalls stalls;
  {
    runtime runtime(stalls.options());
    runtime.run([]() -> task<> {
      const auto end = Clock::now() + 100ms;
      while (Clock::now() < end) co_await yield();
      co_await sleep_for(100ms);
    }());
  }
  // a thread that the kernel does not let run makes no step either, and is reported as preempted
  CHECK(std::ranges::none_of(stalls.seen, [](const stall& found) { return found.on_cpu >= 20ms; }));
}

TEST_CASE("a hog on the only thread holds up no other task if there is relief") {
  runtime_options options = alone();
  options.relief_threads = 1;
  runtime runtime(options);
  runtime.run([]() -> task<> {
    std::atomic<int> ticks{0};
    scope scope;
    scope.spawn([](std::atomic<int>& ticks) -> task<> {
      for (int i = 0; i < 3; ++i) {
        co_await sleep_for(1ms);
        ++ticks;
      }
    }(ticks));
    co_await yield();
    const auto begun = Clock::now();
    while (ticks != 3 && Clock::now() - begun < 5s) {
    }
    CHECK(ticks == 3);
    co_await scope.join();
  }());
  CHECK(runtime.stats().size() == 2);
}

TEST_CASE("checkpoint gives way to a task that has long been ready") {
  runtime_options options = alone();
  options.stall_threshold = 10s;  // so that the watch looks
  runtime runtime(options);
  runtime.run([]() -> task<> {
    bool has_run = false;
    scope scope;
    scope.spawn([](bool& has_run) -> task<> {
      has_run = true;
      co_return;
    }(has_run));
    const auto begun = Clock::now();
    while (!has_run && Clock::now() - begun < 5s) co_await checkpoint();
    CHECK(has_run);
    co_await scope.join();
  }());
}

TEST_CASE("a trace shows every step, and stops on request") {
  runtime runtime(alone());
  std::atomic<int> steps{0};
  runtime.trace([&steps](const trace_event&) { ++steps; });
  runtime.run([]() -> task<> {
    scope scope;
    for (int i = 0; i < 2; ++i)
      scope.spawn([]() -> task<> {
        for (int k = 0; k < 50; ++k) co_await yield();
      }());
    co_await scope.join();
  }());
  CHECK(steps >= 100);
  runtime.trace({});
  const int then = steps;
  runtime.run([]() -> task<> { co_await yield(); }());
  CHECK(steps == then);
}
