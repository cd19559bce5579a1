// SPDX-License-Identifier: GPL-2.0-only
// What a task gives, and how it ends.
#include <morpheus/blocking.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/task.hpp>
#include <morpheus/when_all.hpp>

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <stdexcept>
#include <string>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using morpheus::test::alone;

namespace {

task<int> number(int n) { co_return n; }
task<int> failing() {
  throw std::runtime_error("no number");
  co_return 0;
}
task<int&> reference(int& n) { co_return n; }
task<std::unique_ptr<int>> owned(int n) { co_return std::make_unique<int>(n); }
task<int> depth(int n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await depth(n - 1);
}
task<int> sum(int n) {
  int total = 0;
  for (int i = 0; i < n; ++i) total += co_await number(1);
  co_return total;
}
task<std::string> caught() {
  try {
    co_await failing();
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "nothing";
}

}  // namespace

TEST_CASE("a task gives its value, reference or nothing") {
  runtime runtime(alone());
  CHECK(runtime.run(number(42)) == 42);
  int n = 0;
  CHECK(&runtime.run(reference(n)) == &n);
  CHECK(*runtime.run(owned(7)) == 7);
  bool ran = false;
  runtime.run([](bool& done) -> task<> {
    done = true;
    co_return;
  }(ran));
  CHECK(ran);
}

TEST_CASE("an exception goes to the task that awaits") {
  runtime runtime(alone());
  CHECK_THROWS_AS(runtime.run(failing()), std::runtime_error);
  CHECK(runtime.run(caught()) == "no number");
}

TEST_CASE("awaiting a task takes no stack, however deep or often") {
  runtime runtime(alone());
  CHECK(runtime.run(depth(100'000)) == 100'000);
  CHECK(runtime.run(sum(1'000'000)) == 1'000'000);
}

TEST_CASE("a task that never starts is destroyed with its arguments") {
  auto shared = std::make_shared<int>(1);
  {
    auto never = [](std::shared_ptr<int>) -> task<> { co_return; }(shared);
    CHECK(shared.use_count() == 2);
  }
  CHECK(shared.use_count() == 1);
}

TEST_CASE("a result is destroyed once, taken or not") {
  runtime runtime(alone());
  auto shared = std::make_shared<int>(1);
  const auto give = [](std::shared_ptr<int> value) -> task<std::shared_ptr<int>> {
    co_return value;
  };
  CHECK(runtime.run(give(shared)) == shared);
  CHECK(shared.use_count() == 1);
  runtime.run([](auto give, auto value) -> task<> {
    scope scope;
    scope.spawn(give(value));
    co_await scope.join();
  }(give, shared));
  CHECK(shared.use_count() == 1);
}

TEST_CASE("when_all gives all results in order") {
  runtime runtime(alone());
  runtime.run([]() -> task<> {
    auto [a, b, c] = co_await when_all(number(1), owned(2), number(3));
    CHECK(a == 1);
    CHECK(*b == 2);
    CHECK(c == 3);
    std::vector<task<int>> many;
    for (int i = 0; i < 1000; ++i) many.push_back(number(i));
    const auto results = co_await when_all(std::move(many));
    REQUIRE(results.size() == 1000);
    for (int i = 0; i < 1000; ++i) CHECK(results[static_cast<std::size_t>(i)] == i);
    CHECK((co_await when_all(std::vector<task<int>>{})).empty());
  }());
}

TEST_CASE("references are given where tasks are started together") {
  runtime runtime(alone());
  int n = 1;
  runtime.run([](int& n) -> task<> {
    auto [a, b] = co_await when_all(reference(n), reference(n));
    a = 2;
    CHECK(b == 2);
    std::vector<task<int&>> many;
    many.push_back(reference(n));
    const auto all = co_await when_all(std::move(many));
    CHECK(&all[0].get() == &n);
    int& of_scope = co_await with_scope([&n](scope&) { return reference(n); });
    CHECK(&of_scope == &n);
    int& of_blocking = co_await blocking([&n]() -> int& { return n; });
    CHECK(&of_blocking == &n);
    int& of_spawned = co_await spawn(reference(n));
    CHECK(&of_spawned == &n);
  }(n));
}

TEST_CASE("when_all waits for all before it throws the leftmost exception") {
  runtime runtime(alone());
  int ended = 0;
  runtime.run([](int& ended) -> task<> {
    const auto last = [](int& ended) -> task<> {
      ++ended;
      co_return;
    };
    try {
      co_await when_all(failing(), last(ended), last(ended));
      CHECK(false);
    } catch (const std::runtime_error&) {
      CHECK(ended == 2);
    }
  }(ended));
}
