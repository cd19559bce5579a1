// SPDX-License-Identifier: GPL-2.0-only
// when_any(): the first of several things, and nothing taken from the others.
#include <morpheus/blocking.hpp>
#include <morpheus/cancellation.hpp>
#include <morpheus/channel.hpp>
#include <morpheus/event.hpp>
#include <morpheus/mutex.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/semaphore.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/when_any.hpp>
#include <morpheus/yield.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
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

task<std::string> name_after(std::chrono::microseconds span, std::string name) {
  co_await sleep_for(span);
  co_return name;
}
task<int&> refer(int& to) { co_return to; }
task<int> own(std::unique_ptr<int> value) {
  co_await yield();
  co_return *value;
}
task<int> fail() {
  throw std::runtime_error("failed");
  co_return 0;
}
task<int> refuse() { throw std::runtime_error("no task"); }  // no coroutine

task<> send_both(channel<int>& a, channel<int>& b) {
  co_await yield();
  (void)co_await a.send(1);
  (void)co_await b.send(1);
}

}  // namespace

TEST_CASE("when_any takes a message from one channel only") {
  const unsigned threads = GENERATE(1U, 3U);
  const std::size_t capacity = GENERATE(0U, 1U, 4U);
  runtime runtime(several(threads));
  const long got = runtime.run([](std::size_t capacity) -> task<long> {
    channel<int> a(capacity), b(capacity);
    long got = 0;
    for (int round = 0; round < 2000; ++round) {
      auto sender = spawn(send_both(a, b));
      auto [from_a, from_b] = co_await when_any(a.receive(), b.receive());
      const bool is_one = from_a.has_value() != from_b.has_value();
      got += is_one ? (from_a ? **from_a : **from_b) : 0;
      auto rest = from_a ? co_await b.receive() : co_await a.receive();
      got += *rest;
      co_await sender;
    }
    co_return got;
  }(capacity));
  CHECK(got == 4000);
}

TEST_CASE("when_any takes one permit, and many that select share all of them") {
  runtime runtime(several(3));
  std::atomic<long> got = 0;
  runtime.run([](std::atomic<long>& got) -> task<> {
    semaphore a(0), b(0);
    scope scope;
    for (int i = 0; i < 8; ++i) {
      scope.spawn([](semaphore& a, semaphore& b, std::atomic<long>& got) -> task<> {
        for (int k = 0; k < 500; ++k) {
          auto [first, second] = co_await when_any(a.acquire(), b.acquire());
          got += (first ? 1 : 0) + (second ? 1 : 0);
        }
      }(a, b, got));
    }
    for (int i = 0; i < 2000; ++i) {
      a.release();
      if (i % 3 == 0) co_await yield();
      b.release();
    }
    co_await scope.join();
    CHECK_FALSE(a.try_acquire());
    CHECK_FALSE(b.try_acquire());
  }(got));
  CHECK(got == 4000);
}

TEST_CASE("selecting senders and receivers lose and double nothing") {
  runtime runtime(several(3));
  std::atomic<long> sent = 0, received = 0;
  runtime.run([](std::atomic<long>& sent, std::atomic<long>& received) -> task<> {
    channel<int> a(0), b(1);
    scope senders, receivers;
    for (int i = 0; i < 4; ++i) {
      senders.spawn([](auto& a, auto& b, auto& sent) -> task<> {
        for (int k = 0; k < 500; ++k) {
          auto [to_a, to_b] = co_await when_any(a.send(1), b.send(1));
          sent += (to_a && *to_a ? 1 : 0) + (to_b && *to_b ? 1 : 0);
        }
      }(a, b, sent));
      receivers.spawn([](auto& a, auto& b, auto& received) -> task<> {
        while (true) {
          auto [from_a, from_b, late] = co_await when_any(a.receive(), b.receive(), sleep_for(1h));
          if ((from_a && !*from_a) || (from_b && !*from_b)) co_return;
          received += from_a ? **from_a : **from_b;
        }
      }(a, b, received));
    }
    co_await senders.join();
    co_await blocking([] {});
    a.close();
    b.close();
    co_await receivers.join();
    while (auto left = b.try_receive()) received += *left;
  }(sent, received));
  CHECK(sent == 2000);
  CHECK(received == 2000);
}

TEST_CASE("when_any takes things of different kinds, with results that can only be moved") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    channel<std::unique_ptr<int>> inbox(1);
    event ready;
    mutex lock;
    {
      auto [message, time] = co_await when_any(inbox.receive(), sleep_for(1ms));
      CHECK_FALSE(message);
      CHECK(time);
    }
    CHECK(inbox.try_send(std::make_unique<int>(3)));
    {
      auto [message, is_ready, time] = co_await when_any(inbox.receive(), ready, sleep_for(1h));
      CHECK_FALSE(is_ready);
      CHECK_FALSE(time);
      REQUIRE(message);
      CHECK(***message == 3);
    }
    {
      auto [guard, late] = co_await when_any(lock.lock(), sleep_for(1h));
      CHECK(guard);
      CHECK_FALSE(lock.try_lock());
    }
    CHECK(lock.try_lock());
    {
      int n = 4;
      auto [slow, number, held] =
          co_await when_any(name_after(1h, "slow"), own(std::make_unique<int>(9)), inbox.receive());
      CHECK_FALSE(slow);
      CHECK(number == 9);
      CHECK_FALSE(held);
      auto [first, second] = co_await when_any(refer(n), sleep_for(1h));
      REQUIRE(first);
      CHECK(&first->get() == &n);
    }
    {
      auto handle = spawn(name_after(1us, "spawned"));
      auto [name, late] = co_await when_any(handle, sleep_for(1h));
      CHECK(name == "spawned");
    }
  }());
}

TEST_CASE("when_any over any number of tasks or waits") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    std::vector<task<std::string>> tasks;
    tasks.push_back(name_after(1h, "a"));
    tasks.push_back(name_after(1ms, "b"));
    tasks.push_back(name_after(2h, "c"));
    const auto names = co_await when_any(std::move(tasks));
    CHECK_FALSE(names[0]);
    CHECK(names[1] == "b");
    CHECK_FALSE(names[2]);
    channel<int> a(1), b(1);
    CHECK(b.try_send(5));
    std::vector<channel<int>::receive_awaiter> waits{a.receive(), b.receive()};
    const auto messages = co_await when_any(std::move(waits));
    CHECK_FALSE(messages[0]);
    REQUIRE(messages[1]);
    CHECK(**messages[1] == 5);
    bool is_refused = false;
    try {
      (void)co_await when_any(std::vector<task<int>>());
    } catch (const std::invalid_argument&) {
      is_refused = true;
    }
    CHECK(is_refused);
    is_refused = false;
    try {
      (void)co_await when_any(a.receive(), a.receive());
    } catch (const std::invalid_argument&) {
      is_refused = true;
    }
    CHECK(is_refused);
  }());
}

TEST_CASE("when_any throws what a task of it throws, and none goes on afterwards") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    std::string what;
    bool ended = false;
    const auto slow = [](bool& ended) -> task<int> {
      struct at_end {
        bool& ended;
        ~at_end() { ended = true; }
      } const guard{ended};
      co_await sleep_for(1h);
      co_return 1;
    };
    try {
      (void)co_await when_any(slow(ended), fail());
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    CHECK(what == "failed");
    CHECK(ended);
    try {
      (void)co_await when_any(slow(ended), refuse());
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    CHECK(what == "no task");
  }());
}

TEST_CASE("tasks that have a result although another came first give it, too") {
  runtime runtime(alone());
  const auto received = runtime.run([]() -> task<int> {
    channel<int> a(1), b(1);
    const auto receive = [](channel<int>& from) -> task<int> {
      auto value = co_await from.receive();
      co_return *value;
    };
    auto sender = spawn(send_both(a, b));
    auto [first, second] = co_await when_any(receive(a), receive(b));
    co_await sender;
    co_return first.value_or(0) + second.value_or(0) + a.try_receive().value_or(0) +
        b.try_receive().value_or(0);
  }());
  CHECK(received == 2);
}
