// SPDX-License-Identifier: GPL-2.0-only
// Awaitables that know nothing of the runtime: the task comes home, wherever it is resumed.
#include <morpheus/event.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <coroutine>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::several;

namespace {

/// Resumes on a thread of its own.
struct hop {
  static bool await_ready() noexcept { return false; }
  static void await_suspend(std::coroutine_handle<> waiting) {
    std::thread([waiting] { waiting.resume(); }).detach();
  }
  static int await_resume() noexcept { return 5; }
};
struct hop_maker {
  hop operator co_await() const noexcept { return {}; }
};

/// Resumes what awaits it in the midst of another task.
struct bell {
  std::vector<std::coroutine_handle<>> waiting;
  struct awaiter {
    bell& source;
    static bool await_ready() noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiter) {
      source.waiting.push_back(waiter);
      return true;
    }
    static void await_resume() noexcept {}
  };
  awaiter operator co_await() noexcept { return {*this}; }
  void ring() {
    for (const auto waiter : std::exchange(waiting, {})) waiter.resume();
  }
};

/// Another library's coroutine, which goes over to what awaits it.
struct other_task {
  struct promise_type {
    std::coroutine_handle<> waiting;
    other_task get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    struct finish {
      static bool await_ready() noexcept { return false; }
      static std::coroutine_handle<> await_suspend(
          std::coroutine_handle<promise_type> ended) noexcept {
        return ended.promise().waiting;
      }
      static void await_resume() noexcept {}
    };
    static finish final_suspend() noexcept { return {}; }
    void return_value(int value) { result = value; }
    static void unhandled_exception() { std::terminate(); }
    int result = 0;
  };
  std::coroutine_handle<promise_type> frame;
  static bool await_ready() noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) const {
    frame.promise().waiting = waiter;
    return frame;
  }
  int await_resume() const {
    const int result = frame.promise().result;
    frame.destroy();
    return result;
  }
};
other_task seven() { co_return 7; }

/// Resumes what awaits it before it has suspended, or does not suspend it.
struct at_once {
  bool suspends;
  static bool await_ready() noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiting) const {
    if (suspends) waiting.resume();
    return suspends;
  }
  static void await_resume() noexcept {}
};
struct dropping {
  static bool await_ready() noexcept { return false; }
  static void await_suspend(std::coroutine_handle<> waiting) { waiting.destroy(); }
  static void await_resume() noexcept {}
};

task<> use_everything(runtime& home) {
  CHECK(runtime::current() == &home);
  co_await yield();
  co_await checkpoint();
  co_await sleep_for(1ms);
  const auto three = spawn([]() -> task<int> { co_return 3; }());
  const int got = co_await three;
  CHECK(got == 3);
  event set(true);
  co_await set;
}

}  // namespace

TEST_CASE("a task that another thread resumes goes on in its own runtime") {
  for (const unsigned threads : {1U, 3U}) {
    runtime on(several(threads));
    on.run([](runtime& home) -> task<> {
      for (int i = 0; i < 50; ++i) {
        const int five = co_await hop();
        CHECK(five == 5);
        co_await use_everything(home);
      }
      hop named;
      (void)co_await named;
      (void)co_await hop_maker();
      CHECK(runtime::current() == &home);
    }(on));
  }
}

TEST_CASE("a task that is resumed in the midst of another one waits for its turn") {
  runtime on(alone());
  on.run([](runtime& home) -> task<> {
    bell bell;
    bool has_woken = false;
    auto waiting = spawn([](struct bell& bell, bool& has_woken, runtime& home) -> task<> {
      co_await bell;
      has_woken = true;
      co_await use_everything(home);
    }(bell, has_woken, home));
    co_await yield();
    bell.ring();
    CHECK_FALSE(has_woken);
    co_await waiting;
    CHECK(has_woken);
  }(on));
}

TEST_CASE("other libraries' coroutines can be awaited") {
  runtime on(several(2));
  CHECK(on.run([](runtime& home) -> task<int> {
    int sum = 0;
    for (int i = 0; i < 1000; ++i) sum += co_await seven();
    CHECK(runtime::current() == &home);
    co_return sum;
  }(on)) == 7000);
}

TEST_CASE("awaitables that do not wait, or give up, are taken at their word") {
  runtime on(alone());
  on.run([]() -> task<> {
    co_await at_once{false};
    co_await at_once{true};
    co_await std::suspend_never();
    bool is_cancelled = false;
    try {
      co_await dropping();
    } catch (const cancelled&) {
      is_cancelled = true;
    }
    CHECK(is_cancelled);
  }());
}
