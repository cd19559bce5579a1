// SPDX-License-Identifier: GPL-2.0-only
// Which exceptions arrive where: docs/errors.md has the rule.
#include <morpheus/cancellation.hpp>
#include <morpheus/event.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/when_all.hpp>
#include <morpheus/when_any.hpp>
#include <morpheus/yield.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <stdexcept>
#include <string>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::several;

namespace {

task<> wait_long() { co_await sleep_for(1h); }
task<> fail(std::string what) {
  throw std::runtime_error(what);
  co_return;
}
task<> fail_when_stopped(std::string what) {
  try {
    co_await sleep_for(1h);
  } catch (const cancelled&) {
  }
  throw std::runtime_error(what);
}
/// What a task throws, by its what(); empty if it throws nothing.
template <class T>
std::string thrown_by(runtime& on, task<T> failing) {
  try {
    (void)on.run(std::move(failing));
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

/// What a program prints to standard error that does `body`, and whether it was aborted.
struct outcome {
  std::string said;
  bool is_aborted;
};
template <class F>
outcome of_program(F body) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::signal(SIGABRT, SIG_DFL);
    ::close(ends[0]);
    body();
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  for (char byte = 0; ::read(ends[0], &byte, 1) == 1;) said += byte;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return {said, WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT};
}

}  // namespace

TEST_CASE("an exception of a scope's body arrives although a child heeds the stop") {
  runtime runtime(several(GENERATE(1U, 2U)));
  const auto body = [](scope& scope) -> task<> {
    scope.spawn(wait_long());
    co_await yield();
    throw std::runtime_error("of the body");
  };
  CHECK(thrown_by(runtime, with_scope(body)) == "of the body");
}

TEST_CASE("an owner that stops its scope hears of failures, and not that it was stopped") {
  runtime runtime(alone());
  const auto stop = [](bool fails) -> task<> {
    scope scope;
    scope.spawn(wait_long());
    if (fails) scope.spawn(fail_when_stopped("of a child"));
    co_await yield();
    scope.request_stop();
    co_await scope.join();
  };
  CHECK(thrown_by(runtime, stop(false)).empty());
  CHECK(thrown_by(runtime, stop(true)) == "of a child");
}

TEST_CASE("a scope that fails stops its body, too") {
  runtime runtime(alone());
  const auto body = [](scope& scope) -> task<> {
    scope.spawn(fail("of a child"));
    co_await sleep_for(1h);
  };
  CHECK(thrown_by(runtime, with_scope(body)) == "of a child");
}

TEST_CASE("several failures are kept together, the first in front") {
  runtime runtime(alone());
  const auto gather = [](task<> all) -> task<std::vector<std::string>> {
    std::vector<std::string> what;
    try {
      co_await std::move(all);
    } catch (const failures& several) {
      for (const auto& each : several.all()) {
        try {
          std::rethrow_exception(each);
        } catch (const std::runtime_error& error) {
          what.emplace_back(error.what());
        }
      }
      what.emplace_back(several.what());
      try {
        std::rethrow_if_nested(several);
      } catch (const std::runtime_error& error) {
        what.emplace_back(error.what());
      }
    }
    co_return what;
  };
  const std::vector<std::string> expected{"first", "second", "2 tasks failed: first; second",
                                          "first"};
  const auto in_scope = []() -> task<> {
    scope scope;
    scope.spawn(fail_when_stopped("second"));
    scope.spawn(wait_long());
    scope.spawn(fail("first"));
    co_await scope.join();
  };
  const auto in_when_all = []() -> task<> {
    co_await when_all(fail_when_stopped("second"), wait_long(), fail("first"));
  };
  const auto in_when_all_range = []() -> task<> {
    std::vector<task<>> all;
    all.push_back(fail_when_stopped("second"));
    all.push_back(fail("first"));
    co_await when_all(std::move(all));
  };
  const auto in_when_any = []() -> task<> {
    co_await when_any(fail_when_stopped("second"), fail("first"));
  };
  CHECK(runtime.run(gather(in_scope())) == expected);
  CHECK(runtime.run(gather(in_when_all())) == expected);
  CHECK(runtime.run(gather(in_when_all_range())) == expected);
  CHECK(runtime.run(gather(in_when_any())) == expected);
  const auto nested = [&in_scope](scope& scope) -> task<> {
    scope.spawn(in_scope());
    co_return;
  };
  CHECK(runtime.run(gather(with_scope(nested))) == expected);
}

TEST_CASE("when_all stops the siblings of a task that failed") {
  runtime runtime(several(GENERATE(1U, 3U)));
  for (int round = 0; round < 50; ++round) {
    CHECK(thrown_by(runtime, []() -> task<> {
            co_await when_all(wait_long(), fail("one"), wait_long());
          }()) == "one");
    CHECK(thrown_by(runtime, []() -> task<> { co_await when_all(fail("one"), wait_long()); }()) ==
          "one");
  }
}

TEST_CASE("an exception that no code has taken ends the program, whenever its handle went") {
  const bool after = GENERATE(false, true);
  const auto drop = [after](std::string what) {
    return of_program([&] {
      runtime runtime(alone());
      runtime.run([](bool after, std::string what) -> task<> {
        {
          auto handle = spawn(fail(what));
          if (after) co_await yield();
        }
        for (int i = 0; i < 3; ++i) co_await yield();
      }(after, std::move(what)));
    });
  };
  const outcome ended = drop("unheard of");
  CHECK(ended.is_aborted);
  CHECK(ended.said.find("what():  unheard of") != std::string::npos);
}

TEST_CASE("a task that is cancelled may be dropped, and an exception that was taken, too") {
  const outcome ended = of_program([] {
    runtime runtime(alone());
    runtime.run([]() -> task<> {
      {
        auto handle = spawn([]() -> task<> {
          throw cancelled();
          co_return;
        }());
        co_await yield();
      }
      auto heard = spawn(fail("heard"));
      try {
        co_await heard;
      } catch (const std::runtime_error&) {
      }
    }());
  });
  CHECK_FALSE(ended.is_aborted);
  CHECK(ended.said.empty());
}

TEST_CASE("a scope that is not joined ends the program in words, ended tasks or not") {
  const bool waits = GENERATE(false, true);
  const outcome ended = of_program([waits] {
    runtime runtime(alone());
    runtime.run([](bool waits) -> task<> {
      scope scope;
      scope.spawn(fail("of a child"));
      if (waits) co_await yield();
    }(waits));
  });
  CHECK(ended.is_aborted);
  CHECK(ended.said.find("before its tasks were joined") != std::string::npos);
}
