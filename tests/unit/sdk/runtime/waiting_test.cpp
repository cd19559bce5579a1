// SPDX-License-Identifier: GPL-2.0-only
// What tasks wait for: each other's events, permits and values, times, and code that blocks.
#include <morpheus/blocking.hpp>
#include <morpheus/channel.hpp>
#include <morpheus/event.hpp>
#include <morpheus/generator.hpp>
#include <morpheus/mutex.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/semaphore.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::several;
using Clock = std::chrono::steady_clock;

namespace {

task<> wait_and_count(event& event, int& count) {
  co_await event;
  ++count;
}

task<> add_under(mutex& lock, long& total, int times) {
  for (int i = 0; i < times; ++i) {
    auto guard = co_await lock.lock();
    const long seen = total;
    if (i % 16 == 0) co_await yield();
    total = seen + 1;
  }
}

}  // namespace

TEST_CASE("an event wakes every task that waits, and no task waits for one that is set") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    event ready;
    int count = 0;
    scope scope;
    for (int i = 0; i < 10; ++i) scope.spawn(wait_and_count(ready, count));
    co_await yield();
    CHECK(count == 0);
    ready.set();
    co_await scope.join();
    CHECK(count == 10);
    co_await ready;
    ready.reset();
    CHECK_FALSE(ready.is_set());
  }());
}

TEST_CASE(
    "a lock that favours a lone thread keeps other threads out, and is given up for them once") {
  runtime runtime(alone());
  long differing = 0;
  for (int round = 0; round < 500; ++round) {
    detail::biased_lock lock;
    long count = 0;
    std::atomic<bool> has_begun{false};
    const auto add = [&](long times, bool waits) {
      while (waits && !has_begun) {
      }
      for (long i = 0; i < times; ++i) {
        const std::scoped_lock guard(lock);
        ++count;
        has_begun = true;
      }
    };
    std::thread other([&] { add(2000, round % 3 != 0); });
    runtime.run([](auto& add) -> task<> {
      add(2000, false);
      co_return;
    }(add));
    other.join();
    differing += count == 4000 ? 0 : 1;
  }
  CHECK(differing == 0);
}

TEST_CASE("an event may be set by any thread") {
  const unsigned threads = GENERATE(1U, 2U);
  runtime runtime(several(threads));
  for (int round = 0; round < 200; ++round) {
    std::thread setter;
    runtime.run([](std::thread& setter) -> task<> {
      auto ready = std::make_unique<event>();
      setter = std::thread([&ready = *ready] { ready.set(); });
      co_await *ready;
    }(setter));
    setter.join();
  }
}

TEST_CASE("a mutex excludes, on several threads and across awaits") {
  runtime runtime(several());
  const long total = runtime.run([]() -> task<long> {
    mutex lock;
    long total = 0;
    scope scope;
    for (int i = 0; i < 16; ++i) scope.spawn(add_under(lock, total, 500));
    co_await scope.join();
    auto guard = lock.try_lock();
    CHECK(guard);
    CHECK_FALSE(lock.try_lock());
    guard.unlock();
    CHECK_FALSE(guard);
    CHECK(lock.try_lock());
    co_return total;
  }());
  CHECK(total == 16 * 500);
}

TEST_CASE("a semaphore lets in as many as it has permits, in order") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    semaphore permits(2);
    std::string order;
    scope scope;
    for (char name = 'a'; name < 'f'; ++name) {
      scope.spawn([](semaphore& permits, std::string& order, char name) -> task<> {
        co_await permits.acquire();
        order += name;
        co_await yield();
        permits.release();
      }(permits, order, name));
    }
    co_await yield();
    CHECK(order == "ab");
    co_await scope.join();
    CHECK(order == "abcde");
    CHECK(permits.try_acquire());
    CHECK(permits.try_acquire());
    CHECK_FALSE(permits.try_acquire());
  }());
}

TEST_CASE("a channel keeps order, waits for room, and reports its end") {
  for (const std::size_t capacity : {0U, 1U, 7U}) {
    runtime runtime(alone());
    runtime.run([](std::size_t capacity) -> task<> {
      channel<int> numbers(capacity);
      scope scope;
      scope.spawn([](channel<int>& numbers) -> task<> {
        int sent = 0;
        for (int i = 0; i < 100; ++i) sent += co_await numbers.send(i) ? 1 : 0;
        numbers.close();
        sent += co_await numbers.send(100) ? 1 : 0;
        CHECK(sent == 100);
      }(numbers));
      int expected = 0;
      while (auto got = co_await numbers.receive()) CHECK(*got == expected++);
      CHECK(expected == 100);
      CHECK_FALSE(numbers.try_receive());
      CHECK_FALSE(numbers.try_send(1));
      co_await scope.join();
    }(capacity));
  }
}

TEST_CASE("a channel loses and doubles nothing between many senders and receivers") {
  runtime runtime(several());
  const long sum = runtime.run([]() -> task<long> {
    channel<int> numbers(3);
    std::atomic<long> sum{0};
    std::atomic<int> senders{8};
    scope scope;
    for (int i = 0; i < 8; ++i) {
      scope.spawn([](channel<int>& numbers, std::atomic<int>& senders) -> task<> {
        for (int k = 1; k <= 500; ++k) (void)co_await numbers.send(k);
        if (senders.fetch_sub(1) == 1) numbers.close();
      }(numbers, senders));
      scope.spawn([](channel<int>& numbers, std::atomic<long>& sum) -> task<> {
        while (auto got = co_await numbers.receive()) sum += *got;
      }(numbers, sum));
    }
    co_await scope.join();
    co_return sum.load();
  }());
  CHECK(sum == 8L * 500 * 501 / 2);
}

TEST_CASE("a sleep lasts at least as long as asked, and earlier ones end first") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    const auto begun = Clock::now();
    co_await sleep_for(5ms);
    CHECK(Clock::now() - begun >= 5ms);
    co_await sleep_until(begun);
    std::string order;
    scope scope;
    const auto nap = [](std::string& order, Clock::time_point until, char name) -> task<> {
      co_await sleep_until(until);
      order += name;
    };
    const auto base = Clock::now() + 5ms;
    for (const char name : {'c', 'a', 'e', 'b', 'd', 'x', 'y'}) {
      const auto ms = name < 'x' ? name - 'a' : 9;
      scope.spawn(nap(order, base + std::chrono::milliseconds(ms), name));
    }
    co_await scope.join();
    CHECK(order == "abcdexy");
  }());
}

TEST_CASE("many timers all fire") {
  runtime runtime(several());
  std::atomic<int> fired{0};
  runtime.run([](std::atomic<int>& fired) -> task<> {
    scope scope;
    for (int i = 0; i < 5000; ++i) {
      scope.spawn([](std::atomic<int>& fired, int i) -> task<> {
        co_await sleep_for(std::chrono::microseconds((i * 7919) % 20'000));
        co_await sleep_for(std::chrono::microseconds((i * 104729) % 20'000));
        ++fired;
      }(fired, i));
    }
    co_await scope.join();
  }(fired));
  CHECK(fired == 5000);
}

TEST_CASE("blocking code runs beside the runtime's thread and gives its result") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    const auto mine = std::this_thread::get_id();
    std::atomic<bool> go{false};
    auto waiting = spawn([](std::atomic<bool>& go) -> task<std::thread::id> {
      co_return co_await blocking([&go] {
        while (!go) std::this_thread::yield();
        return std::this_thread::get_id();
      });
    }(go));
    co_await yield();
    go = true;  // the thread was not held up
    const auto other = co_await waiting;
    CHECK(other != mine);
    CHECK(std::this_thread::get_id() == mine);
    bool thrown = false;
    try {
      co_await blocking([] { throw std::runtime_error("blocked"); });
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    CHECK(thrown);
  }());
}

TEST_CASE("a generator gives its values one by one") {
  const auto up_to = [](int n) -> generator<int> {
    for (int i = 0; i < n; ++i) co_yield i;
    if (n == 3) throw std::runtime_error("three");
  };
  int sum = 0;
  for (const int i : up_to(5)) sum += i;
  CHECK(sum == 10);
  sum = 0;
  CHECK_THROWS_AS(
      [&] {
        for (const int i : up_to(3)) sum += i;
      }(),
      std::runtime_error);
  CHECK(sum == 3);
}

TEST_CASE("a permit goes back when its object ends, and is moved with it") {
  for (const auto& options : {alone(), several()}) {
    runtime runtime(options);
    runtime.run([]() -> task<> {
      semaphore limit(2);
      std::atomic<int> inside{0}, most{0};
      const auto work = [&]() -> task<> {
        const auto permit = co_await limit.acquire_permit();
        const int now = ++inside;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        co_await yield();
        --inside;
      };
      scope scope;
      for (int i = 0; i < 50; ++i) scope.spawn(work());
      co_await scope.join();
      CHECK(most == 2);
      auto first = limit.try_acquire_permit();
      semaphore::permit moved = std::move(first);
      const auto second = limit.try_acquire_permit();
      CHECK_FALSE(first);
      CHECK((moved && second));
      CHECK_FALSE(limit.try_acquire_permit());
      moved.release();
      CHECK_FALSE(moved);
      CHECK(limit.try_acquire());
    }());
  }
}

TEST_CASE("a channel is closed when its last sender goes, after the values that are left") {
  for (const auto& options : {alone(), several()}) {
    runtime runtime(options);
    runtime.run([]() -> task<> {
      channel<int> numbers(3);
      std::atomic<int> sent{0};
      const auto produce = [&](channel<int>::sender to, int count) -> task<> {
        for (int i = 1; i <= count; ++i) {
          const bool is_sent = co_await to.send(i);
          sent += is_sent ? 1 : 0;
        }
      };
      scope producers;
      {
        const auto first = numbers.make_sender();
        for (int i = 0; i < 4; ++i) producers.spawn(produce(first, 100));
      }
      long sum = 0;
      for (auto value = co_await numbers.receive(); value; value = co_await numbers.receive())
        sum += *value;
      CHECK(sum == 4 * 5050);
      co_await producers.join();
      CHECK(sent == 400);
      CHECK_FALSE(numbers.try_send(1));
    }());
  }
}

TEST_CASE("a sender that is copied, moved or assigned counts once, and a moved one not at all") {
  channel<int> numbers(8);
  {
    auto first = numbers.make_sender();
    auto copy = first;
    auto moved = std::move(first);
    auto assigned = numbers.make_sender();
    assigned = std::move(copy);
    CHECK(assigned.try_send(1));
    moved = assigned;
    CHECK(moved.try_send(2));
  }
  CHECK_FALSE(numbers.try_send(3));
  CHECK(numbers.try_receive() == 1);
  CHECK(numbers.try_receive() == 2);
  CHECK_FALSE(numbers.try_receive());
}
