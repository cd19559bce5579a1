// SPDX-License-Identifier: GPL-2.0-only
// What the threads of a runtime do when the kernel hints them; the tests play the kernel.
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sdk/src/runtime/off_cpu.hpp"
#include "tests/unit/sdk/attached_process.hpp"
#include "tests/unit/sdk/tiny_daemon.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::AttachedProcess;
using morpheus::test::eventually;
using morpheus::test::SocketPath;
using morpheus::test::TinyDaemon;

namespace {

/// How long this thread is without its CPU when it next gives it up.
thread_local std::chrono::milliseconds others_turn{0ms};

struct GuidedRuntime {
  explicit GuidedRuntime(unsigned threads, unsigned relief = 0)
      : runtime({.threads = threads, .relief_threads = relief}) {
    REQUIRE(eventually([&] { return daemon.registrations() == threads + relief; }));
    REQUIRE(eventually([&] {
      for (unsigned i = 0; i < threads + relief; ++i)
        if (daemon.state(i) != "RUNNING") return false;
      return true;
    }));
  }
  SocketPath path;
  TinyDaemon daemon{path.text()};
  AttachedProcess process{path.text()};
  morpheus::runtime runtime;
};

/// Threads register in any order.
void hint_both(TinyDaemon& daemon) {
  daemon.hint(0);
  daemon.hint(1);
}

bool passed(std::chrono::steady_clock::time_point begun, std::chrono::seconds most) {
  return std::chrono::steady_clock::now() - begun > most;
}

}  // namespace

/// Replaces the C library's: other threads may have the CPU for as long as a test wants.
extern "C" int sched_yield() noexcept {
  const auto turn = std::exchange(others_turn, 0ms);
  if (turn > 0ms) std::this_thread::sleep_for(turn);
  return 0;
}

TEST_CASE("every thread of a runtime is registered, and gone with it") {
  const SocketPath path;
  TinyDaemon daemon(path.text());
  const AttachedProcess process(path.text());
  {
    const runtime runtime({.threads = 3});
    REQUIRE(eventually([&] { return AttachedProcess::status().guided == 3; }));
    CHECK(eventually([&] { return runtime.stats().at(2).is_guided; }));
  }
  CHECK(AttachedProcess::status().workers == 0);
}

TEST_CASE("co_await checkpoint acknowledges a hint, and other tasks run") {
  GuidedRuntime g(1);
  const auto [before, seq, ran] =
      g.runtime.run([](TinyDaemon& daemon) -> task<std::tuple<bool, std::uint64_t, bool>> {
        bool ran = false;
        scope scope;
        scope.spawn([](bool& ran) -> task<> {
          ran = true;
          co_return;
        }(ran));
        co_await checkpoint();
        const bool before = ran;
        const std::uint64_t seq = daemon.hint();
        co_await checkpoint();
        const bool after = ran;
        co_await scope.join();
        co_return std::tuple(before, seq, after);
      }(g.daemon));
  CHECK_FALSE(before);
  CHECK(ran);
  CHECK(g.daemon.acknowledged() == seq);
  CHECK(g.daemon.runtime_line().last_yield_reason == MORPHEUS_YIELD_HINT);
}

TEST_CASE("a critical section in a task puts the acknowledgement off until it has ended") {
  GuidedRuntime g(1);
  const bool right = g.runtime.run([](TinyDaemon& daemon) -> task<bool> {
    bool right = true;
    std::uint64_t seq = 0;
    {
      const critical_section outer;
      const critical_section inner;
      right = right && daemon.runtime_line().is_in_critical_section == 2;
      seq = daemon.hint();
      right = right && !checkpoint_here() && daemon.acknowledged() != seq;
    }
    co_await checkpoint();
    co_return right&& daemon.acknowledged() == seq&& daemon.runtime_line().is_in_critical_section ==
        0;
  }(g.daemon));
  CHECK(right);
}

TEST_CASE("a critical section that is held across a co_await is noticed, in words") {
  GuidedRuntime g(1);
  std::FILE* const said = std::tmpfile();
  const int before = ::dup(STDERR_FILENO);
  ::dup2(::fileno(said), STDERR_FILENO);
  g.runtime.run([]() -> task<> {
    const critical_section held;
    const auto begun = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begun < 5ms) co_await yield();
  }());
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  std::rewind(said);
  char words[200] = "";
  CHECK(std::fgets(words, sizeof words, said) != nullptr);
  CHECK(std::string(words).find("critical_section across a co_await") != std::string::npos);
  std::fclose(said);
}

TEST_CASE("a hint is acknowledged between two steps of tasks, without any checkpoint") {
  GuidedRuntime g(1);
  const std::uint64_t seq = g.daemon.hint();
  g.runtime.run([](TinyDaemon& daemon, std::uint64_t seq) -> task<> {
    const auto begun = std::chrono::steady_clock::now();
    while (daemon.acknowledged() != seq && !passed(begun, 5s)) co_await yield();
  }(g.daemon, seq));
  CHECK(g.daemon.acknowledged() == seq);
}

TEST_CASE(
    "on a hint what is queued becomes available to other threads before the CPU is given up") {
  GuidedRuntime g(2);
  g.runtime.run([](TinyDaemon& daemon, runtime& on) -> task<> {
    std::atomic<int> ran{0};
    scope scope;
    // the other thread is kept busy, so that it does not take anything by itself
    std::atomic<bool> free{false};
    std::atomic<bool> is_busy{false};
    scope.spawn([](std::atomic<bool>& free, std::atomic<bool>& is_busy) -> task<> {
      is_busy = true;
      while (!free) std::this_thread::yield();
      co_return;
    }(free, is_busy));
    while (!is_busy) std::this_thread::yield();
    for (int i = 0; i < 10; ++i) {
      scope.spawn([](std::atomic<int>& ran) -> task<> {
        ++ran;
        co_return;
      }(ran));
    }
    CHECK(ran == 0);
    hint_both(daemon);
    CHECK(checkpoint_here());
    // this thread goes on without a step; the other one finds the jobs
    free = true;
    const auto begun = std::chrono::steady_clock::now();
    while (ran != 10 && !passed(begun, 5s)) std::this_thread::yield();
    CHECK(ran == 10);
    std::uint64_t handed_over = 0;
    for (const auto& thread : on.stats()) handed_over += thread.handed_over;
    CHECK(handed_over >= 1);
    co_await scope.join();
  }(g.daemon, g.runtime));
}

TEST_CASE("the modes of a worker can be seen: deterministic, pressured, defensive") {
  GuidedRuntime g(1);
  const auto mode = [&] {
    g.runtime.run([]() -> task<> {
      for (int i = 0; i < 3000; ++i) co_await yield();
      co_await sleep_for(2ms);
    }());
    return g.runtime.stats().at(0).mode;
  };
  CHECK(mode() == MORPHEUS_DETERMINISTIC);
  g.daemon.hint();
  CHECK(mode() == MORPHEUS_PRESSURED);
  CHECK(g.daemon.runtime_line().runtime_mode == MORPHEUS_PRESSURED);
  CHECK(g.runtime.stats().at(0).hints >= 1);
  g.daemon.kernel_line().hint_loss_count = 1;
  g.daemon.hint();
  CHECK(mode() == MORPHEUS_DEFENSIVE);
  CHECK(eventually([&] { return mode() == MORPHEUS_DETERMINISTIC; }));
}

TEST_CASE("in defensive mode co_await checkpoint gives way by itself") {
  GuidedRuntime g(1);
  g.daemon.kernel_line().hint_loss_count = 1;
  g.daemon.hint();
  const int turns = g.runtime.run([]() -> task<int> {
    int turns = 0;
    bool is_over = false;
    scope scope;
    scope.spawn([](int& turns, bool& is_over) -> task<> {
      while (!is_over) {
        ++turns;
        co_await yield();
      }
    }(turns, is_over));
    const auto begun = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begun < 20ms) co_await checkpoint();
    is_over = true;
    co_await scope.join();
    co_return turns;
  }());
  CHECK(turns > 5);
}

TEST_CASE("a kernel line shows whether a thread has lost the CPU") {
  sdk::OffCpu thread;
  CHECK_FALSE(thread.look(0, 0, true));
  CHECK_FALSE(thread.look(0, 0, false));     // it runs
  CHECK(thread.look(100, 0, false));         // switched away
  CHECK(thread.look(100, 0, false));         // and still
  CHECK_FALSE(thread.look(100, 50, false));  // back after a wait
  CHECK(thread.look(200, 80, false));        // away once more, or once more and back
  CHECK(thread.look(300, 80, true));   // it made a step, and then, or before, it was switched away
  CHECK(thread.look(300, 80, false));  // it would have made another step by now
  CHECK_FALSE(thread.look(300, 80, true));  // it runs
  CHECK_FALSE(thread.look(300, 80, false));
}

TEST_CASE("another thread keeps the timers of one that has given up its CPU") {
  GuidedRuntime g(1, 1);
  std::vector<std::chrono::nanoseconds> late;
  for (int round = 0; round < 9; ++round) {
    g.runtime.run([](TinyDaemon& daemon, auto& late) -> task<> {
      scope scope;
      scope.spawn([](auto& late) -> task<> {
        const auto due = std::chrono::steady_clock::now() + 1ms;
        co_await sleep_until(due);
        late.push_back(std::chrono::steady_clock::now() - due);
      }(late));
      co_await yield();  // the timer starts
      hint_both(daemon);
      others_turn = 50ms;
      co_await checkpoint();
      co_await scope.join();
    }(g.daemon, late));
  }
  // Without a stand-in, the watch would take them over after 4 ms.
  std::ranges::nth_element(late, late.begin() + 4);
  CHECK(late[4] < 2ms);
}

TEST_CASE("what waits behind a thread that gave up its CPU is run by another") {
  GuidedRuntime g(1, 1);
  const bool ran_meanwhile = g.runtime.run([](TinyDaemon& daemon) -> task<bool> {
    std::atomic is_back{false};
    bool ran_meanwhile = false;
    scope scope;
    scope.spawn([](TinyDaemon& daemon, auto& is_back) -> task<> {
      hint_both(daemon);
      others_turn = 2000ms;
      co_await checkpoint();
      is_back = true;
    }(daemon, is_back));
    scope.spawn([](auto& is_back, auto& ran_meanwhile) -> task<> {
      ran_meanwhile = !is_back;
      co_return;
    }(is_back, ran_meanwhile));
    co_await scope.join();
    co_return ran_meanwhile;
  }(g.daemon));
  CHECK(ran_meanwhile);
}

TEST_CASE("what waits behind a thread that lost its CPU is run by another") {
  GuidedRuntime g(2);
  g.runtime.run([](TinyDaemon& daemon) -> task<> {
    std::atomic<int> ran{0};
    scope scope;
    for (int i = 0; i < 4; ++i) {
      scope.spawn([](std::atomic<int>& ran) -> task<> {
        ++ran;
        co_return;
      }(ran));
    }
    // as the kernel shows that it has switched a thread away
    for (std::size_t i = 0; i < 2; ++i) daemon.kernel_line(i).cpu_time_ns += 1000;
    const auto begun = std::chrono::steady_clock::now();
    while (ran != 4 && !passed(begun, 5s)) {
    }
    CHECK(ran == 4);
    co_await scope.join();
  }(g.daemon));
}
