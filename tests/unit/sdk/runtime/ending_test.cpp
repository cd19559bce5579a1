// SPDX-License-Identifier: GPL-2.0-only
// How runtimes begin and end: programs that must neither hang nor touch what is gone.
#include <morpheus/attachment.hpp>
#include <morpheus/blocking.hpp>
#include <morpheus/event.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/sleep.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>

#include "tests/unit/sdk/forbid_membarrier.hpp"
#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::forbid_membarrier;
using morpheus::test::has_membarrier;
using morpheus::test::several;

namespace {

/// What a child process that calls `body` ends with: its exit status, or minus its signal.
int in_child(const std::function<int()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    ::signal(SIGABRT, SIG_DFL);  // Catch2 would report it
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// From here on this process may start no thread; an ordinary user, because root always may.
void forbid_threads() {
  if (::getuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(90);
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_NPROC, &none);
}

}  // namespace

TEST_CASE("run() on a thread of the same runtime throws instead of waiting for itself") {
  for (const unsigned threads : {1U, 3U}) {
    runtime on(several(threads));
    const auto code = on.run([](runtime& on) -> task<std::error_code> {
      try {
        on.run([]() -> task<> { co_return; }());
      } catch (const std::system_error& error) {
        co_return error.code();
      }
      co_return std::error_code();
    }(on));
    CHECK(code == std::errc::resource_deadlock_would_occur);
  }
  runtime outer(alone());
  runtime inner(alone());
  CHECK(outer.run([](runtime& inner) -> task<int> {
    co_return inner.run([]() -> task<int> { co_return 7; }());
  }(inner)) == 7);
}

TEST_CASE("a runtime whose threads cannot be started says so and leaves nothing behind") {
  for (const auto& options :
       {runtime_options{.threads = 1}, runtime_options{.threads = 3, .guided = false}}) {
    CHECK(in_child([&] {
            forbid_threads();
            try {
              const runtime on(options);
            } catch (const std::system_error& error) {
              if (error.code() != std::errc::resource_unavailable_try_again) return 2;
              return attachment::status().link == MORPHEUS_LINK_NONE ? 0 : 3;
            }
            return 1;
          }) == 0);
  }
}

TEST_CASE("a runtime that is destroyed on its own thread ends the program in words") {
  CHECK(in_child([] {
          std::freopen("/dev/null", "w", stderr);
          auto on = std::make_unique<runtime>(alone());
          on->run([](std::unique_ptr<runtime>& on) -> task<> {
            on.reset();
            co_return;
          }(on));
          return 0;
        }) == -SIGABRT);
}

TEST_CASE("a membarrier that is forbidden once it is relied on ends the program in words") {
  if (!has_membarrier()) SKIP("there is none here");
  const auto stop = [](bool is_forbidden) {
    return in_child([is_forbidden] {
      std::freopen("/dev/null", "w", stderr);
      event never;
      runtime on(alone());
      on.spawn([](event& never) -> task<> { co_await never; }(never)).detach();
      on.run([]() -> task<> { co_await sleep_for(1ms); }());
      if (is_forbidden && !forbid_membarrier()) return 77;
      on.request_stop();
      return 0;
    });
  };
  CHECK(stop(false) == 0);
  CHECK(stop(true) == -SIGABRT);
}

TEST_CASE("guided runtimes share the process's attachment, which ends with the last of them") {
  auto first = std::make_unique<runtime>(runtime_options{.threads = 1});
  const runtime second({.threads = 1});
  CHECK(attachment::status().link != MORPHEUS_LINK_NONE);
  first.reset();
  CHECK(attachment::status().link != MORPHEUS_LINK_NONE);
  {
    const attachment of_the_program;
    CHECK(morpheus_attach(nullptr) == MORPHEUS_ERR_ALREADY);
  }
  CHECK(attachment::status().link != MORPHEUS_LINK_NONE);
}

TEST_CASE("after the last guided runtime the process can be attached anew") {
  {
    const runtime on({.threads = 1});
  }
  CHECK(attachment::status().link == MORPHEUS_LINK_NONE);
  {
    const attachment again;
  }
  CHECK(attachment::status().link == MORPHEUS_LINK_NONE);
}

TEST_CASE("a thread that wakes the last task may find its runtime gone afterwards") {
  for (int round = 0; round < 300; ++round) {
    std::optional<runtime> on(std::in_place, several(2));
    event woken;
    on->spawn([](event& woken) -> task<> { co_await woken; }(woken)).detach();
    std::thread waker([&] { woken.set(); });
    on.reset();
    waker.join();
  }
}

TEST_CASE("a handle may outlive the runtime, which may have been asked to stop before") {
  for (const bool is_asked : {false, true}) {
    event never;
    std::optional<runtime> on(std::in_place, several(2));
    const auto waiting = on->spawn([](event& never) -> task<> { co_await never; }(never));
    on->run([]() -> task<> { co_await sleep_for(1ms); }());  // it waits by now
    if (is_asked) on->request_stop();
    on.reset();
    CHECK(waiting.has_ended());
  }
}

TEST_CASE("a blocking call may end with its runtime") {
  for (int round = 0; round < 100; ++round) {
    runtime on(several(2));
    on.spawn([]() -> task<> { co_await blocking([] {}); }()).detach();
  }
}

TEST_CASE("a sleep until the end of time is one, in every unit") {
  const std::uint64_t now = detail::timer::now_ns();
  const std::uint64_t century = now + 3'100'000'000'000'000'000U;
  CHECK(detail::deadline_after(std::chrono::days::max()) > century);
  CHECK(detail::deadline_after(std::chrono::years::max()) > century);
  CHECK(detail::deadline_after(std::chrono::hours::max()) > century);
  CHECK(detail::deadline_after(std::chrono::nanoseconds::max()) > century);
  CHECK(detail::deadline_after(std::chrono::duration<double>(INFINITY)) > century);
  CHECK(detail::deadline_after(std::chrono::duration<short, std::ratio<86400>>(30'000)) >
        now + 2'500'000'000'000'000'000U);
  CHECK(detail::deadline_at(std::chrono::steady_clock::time_point::max()) > century);
  const auto soon = [](std::uint64_t deadline) { return deadline <= detail::timer::now_ns(); };
  CHECK(soon(detail::deadline_after(std::chrono::duration<double>(std::nan("")))));
  CHECK(soon(detail::deadline_after(std::chrono::days::min())));
  CHECK(soon(detail::deadline_after(std::chrono::duration<double>(-INFINITY))));
  const std::uint64_t begun = detail::timer::now_ns();
  CHECK(detail::deadline_after(1us) >= begun + 1000);
  CHECK(detail::deadline_after(std::chrono::duration<float>(1e-10F)) >= begun + 1);
}
