// SPDX-License-Identifier: GPL-2.0-only
// A stop reaches whatever a task awaits, without a token.
#include <morpheus/blocking.hpp>
#include <morpheus/cancellation.hpp>
#include <morpheus/channel.hpp>
#include <morpheus/event.hpp>
#include <morpheus/mutex.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/semaphore.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/when_all.hpp>
#include <morpheus/when_any.hpp>
#include <morpheus/yield.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::several;

namespace {

/// Things that nothing ever happens to.
struct Silence {
  event never;
  semaphore none{0};
  channel<int> empty{1};
  channel<int> full{0};
  mutex held;
  mutex::guard holds = held.try_lock();
};

task<> forever(Silence& silence) { co_await silence.never; }
task<> deep(Silence& silence, int depth) {
  if (depth == 0)
    co_await silence.never;
  else
    co_await deep(silence, depth - 1);
}

/// One wait of each kind.
std::vector<std::function<task<>(Silence&)>> waits() {
  return {
      [](Silence& silence) -> task<> { co_await silence.never; },
      [](Silence& silence) -> task<> { co_await silence.never.wait(std::stop_token()); },
      [](Silence& silence) -> task<> { co_await silence.none.acquire(); },
      [](Silence& silence) -> task<> { (void)co_await silence.empty.receive(); },
      [](Silence& silence) -> task<> { (void)co_await silence.full.send(1); },
      [](Silence& silence) -> task<> { (void)co_await silence.held.lock(); },
      [](Silence&) -> task<> { co_await sleep_for(1h); },
      [](Silence&) -> task<> { co_await sleep_for(1h, std::stop_token()); },
      [](Silence& silence) -> task<> { co_await spawn(forever(silence)); },
      [](Silence& silence) -> task<> { co_await deep(silence, 50); },
      [](Silence& silence) -> task<> { co_await when_all(forever(silence), forever(silence)); },
      [](Silence& silence) -> task<> {
        co_await when_any(silence.never, silence.none.acquire(), sleep_for(1h));
      },
      [](Silence& silence) -> task<> { co_await when_any(forever(silence), forever(silence)); },
      [](Silence& silence) -> task<> { co_await with_timeout(1h, forever(silence)); },
      [](Silence& silence) -> task<> { co_await with_timeout(1h, silence.empty.receive()); },
      [](Silence& silence) -> task<> {
        co_await with_scope([&silence](scope& scope) -> task<> {
          scope.spawn(forever(silence));
          co_return;
        });
      },
      [](Silence& silence) -> task<> {
        scope scope;
        for (int i = 0; i < 200; ++i) scope.spawn(forever(silence));
        co_await scope.join();
      },
  };
}

/// Counts when `waiting` ends with `cancelled`.
task<> count_cancelled(task<> waiting, std::atomic<int>& begun, std::atomic<int>& count) {
  ++begun;
  try {
    co_await std::move(waiting);
  } catch (const cancelled&) {
    ++count;
  }
}

}  // namespace

TEST_CASE("a stop of a scope ends every kind of wait in it") {
  const unsigned threads = GENERATE(1U, 3U);
  const bool from_outside = GENERATE(false, true);
  runtime runtime(several(threads));
  for (int round = 0; round < 20; ++round) {
    Silence silence;
    std::atomic<int> begun = 0, count = 0;
    runtime.run([](Silence& silence, auto& begun, auto& count, bool outside, int round) -> task<> {
      scope scope;
      const auto all = waits();
      for (const auto& wait : all) scope.spawn(count_cancelled(wait(silence), begun, count));
      std::thread stopper;
      if (outside)
        stopper = std::thread([&] {
          test::spin_for(std::chrono::microseconds(round * 5));
          scope.request_stop();
        });
      else if (round % 2 == 0) {
        while (begun < std::ssize(all)) co_await yield();
        co_await sleep_for(1ms);
        scope.request_stop();
      } else {
        scope.request_stop();  // before they begin
      }
      co_await scope.join();
      if (stopper.joinable()) stopper.join();
      CHECK(count == std::ssize(all));
    }(silence, begun, count, from_outside, round));
    runtime.run([](Silence& silence) -> task<> {  // the spawned ones
      silence.never.set();
      co_return;
    }(silence));
    runtime.run([]() -> task<> { co_await sleep_for(1ms); }());
  }
}

TEST_CASE("the end of a runtime ends the waits of all that was spawned on it") {
  for (const unsigned threads : {1U, 3U}) {
    Silence silence;
    std::atomic<int> begun = 0, count = 0;
    {
      runtime runtime(several(threads));
      for (const auto& wait : waits())
        runtime.spawn(count_cancelled(wait(silence), begun, count)).detach();
      while (begun < std::ssize(waits())) std::this_thread::yield();
    }
    // One of them waits for the handle of a task that was stopped likewise.
    CHECK(count == std::ssize(waits()));
  }
}

TEST_CASE("a stop that meets what a task waits for resumes it once") {
  runtime runtime(several(3));
  for (int round = 0; round < 300; ++round) {
    int served = 0, stopped = 0;
    runtime.run([](int round, int& served, int& stopped) -> task<> {
      constexpr int kTasks = 40;
      semaphore permits(0);
      std::atomic<int> waiting = 0, got = 0, ended = 0;
      scope scope;
      for (int i = 0; i < kTasks; ++i) {
        scope.spawn([](semaphore& permits, auto& waiting, auto& got, auto& ended) -> task<> {
          ++waiting;
          try {
            co_await permits.acquire();
            ++got;
          } catch (const cancelled&) {
            ++ended;
          }
        }(permits, waiting, got, ended));
      }
      while (waiting < kTasks) co_await yield();
      std::thread stopper([&] {
        test::spin_for(std::chrono::nanoseconds(round * 20));
        scope.request_stop();
      });
      for (int i = 0; i < kTasks / 2; ++i) permits.release();
      stopper.join();
      co_await scope.join();
      served = got;
      stopped = ended;
      int left = 0;
      while (permits.try_acquire()) ++left;
      CHECK(got + left == kTasks / 2);
    }(round, served, stopped));
    CHECK(served + stopped == 40);
  }
}

TEST_CASE("a task that is stopped cannot wait again, but what is shielded can") {
  runtime runtime(alone());
  std::string log;
  runtime.run([](std::string& log) -> task<> {
    scope scope;
    scope.spawn([](std::string& log) -> task<> {
      try {
        co_await sleep_for(1h);
      } catch (const cancelled&) {
        log += "stopped ";
      }
      const bool stop = co_await stop_requested();
      log += stop ? "asked " : "not asked ";
      try {
        co_await sleep_for(1ms);
      } catch (const cancelled&) {
        log += "again ";
      }
      co_await shielded([](std::string& log) -> task<> {
        co_await sleep_for(1ms);
        log += "cleaned";
      }(log));
    }(log));
    co_await yield();
    scope.request_stop();
    co_await scope.join();
  }(log));
  CHECK(log == "stopped asked again cleaned");
}

TEST_CASE("with_timeout ends a task that takes too long, and nothing else") {
  const unsigned threads = GENERATE(1U, 2U);
  runtime runtime(several(threads));
  runtime.run([]() -> task<> {
    const auto value_after = [](std::chrono::microseconds span) -> task<int> {
      co_await sleep_for(span);
      co_return 7;
    };
    int value = co_await with_timeout(1h, value_after(1us));
    CHECK(value == 7);
    bool is_late = false;
    try {
      (void)co_await with_timeout(1ms, value_after(1h));
    } catch (const timed_out&) {
      is_late = true;
    }
    CHECK(is_late);
    // a result that comes all the same is given
    value = co_await with_timeout(1ms, [](auto value_after) -> task<int> {
      try {
        (void)co_await value_after(1h);
      } catch (const cancelled&) {
      }
      co_return 8;
    }(value_after));
    CHECK(value == 8);
    channel<std::string> inbox(1);
    is_late = false;
    try {
      (void)co_await with_timeout(1ms, inbox.receive());
    } catch (const timed_out&) {
      is_late = true;
    }
    CHECK(is_late);
    CHECK(inbox.try_send("kept"));
    const auto message = co_await with_timeout(1h, inbox.receive());
    CHECK(message == "kept");
    event never;
    is_late = false;
    try {
      co_await with_timeout(1ms, never);
    } catch (const timed_out&) {
      is_late = true;
    }
    CHECK(is_late);
    int right = 0;  // the deadline meets the end
    for (int i = 0; i < 300; ++i) {
      try {
        right += co_await with_timeout(std::chrono::microseconds(50), value_after(50us)) == 7;
      } catch (const timed_out&) {
        ++right;
      }
    }
    CHECK(right == 300);
  }());
}

TEST_CASE("a timeout of an outer task is none of an inner one") {
  runtime runtime(alone());
  const bool right = runtime.run([]() -> task<bool> {
    bool inner_late = false;
    try {
      co_await with_timeout(2ms, [](bool& inner_late) -> task<> {
        try {
          co_await with_timeout(1h, []() -> task<> { co_await sleep_for(1h); }());
        } catch (const timed_out&) {
          inner_late = true;
        }
      }(inner_late));
    } catch (const timed_out&) {
      co_return !inner_late;
    }
    co_return false;
  }());
  CHECK(right);
}

TEST_CASE("a token given by hand counts beside the scope's stop, and the scope's own token works") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    std::stop_source by_hand;
    event never;
    std::atomic<int> begun = 0, count = 0;
    scope scope;
    const auto wait = [](event& never, std::stop_token token) -> task<> {
      co_await never.wait(token);
    };
    scope.spawn(count_cancelled(wait(never, by_hand.get_token()), begun, count));
    scope.spawn(count_cancelled(wait(never, by_hand.get_token()), begun, count));
    const std::stop_token token = scope.stop_token();
    co_await yield();
    by_hand.request_stop();
    co_await yield();
    CHECK(count == 2);
    CHECK_FALSE(token.stop_requested());
    scope.request_stop();
    CHECK(token.stop_requested());
    co_await scope.join();
  }());
}

TEST_CASE("a stop of the owner reaches the token of a scope within") {
  runtime runtime(alone());
  bool seen = false;
  runtime.run([](bool& seen) -> task<> {
    scope outer;
    outer.spawn([](bool& seen) -> task<> {
      co_await with_scope([&seen](scope& inner) -> task<> {
        inner.spawn([](std::stop_token token, bool& seen) -> task<> {
          while (!token.stop_requested()) co_await yield();
          seen = true;
        }(inner.stop_token(), seen));
        co_return;
      });
    }(seen));
    for (int i = 0; i < 5; ++i) co_await yield();
    outer.request_stop();
    co_await outer.join();
  }(seen));
  CHECK(seen);
}
