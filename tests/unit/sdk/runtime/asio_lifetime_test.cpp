// SPDX-License-Identifier: GPL-2.0-only
// Operations of Asio that fail, are cancelled or dropped; contexts, runtimes and executors that end
// before one another.
#include <morpheus/adapters/asio.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>

#include <sys/socket.h>

#include <atomic>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::alone;
using morpheus::test::several;
using local = boost::asio::local::stream_protocol;
namespace asio = boost::asio;

namespace {

enum class how { throws_before, throws_after, throws_and_completes, completes_at_once };

template <class Token>
auto begin_operation(how way, Token&& token) {
  return asio::async_initiate<Token, void(boost::system::error_code, int)>(
      [](auto handler, how way) {
        if (way == how::throws_before) throw std::runtime_error("before");
        auto kept = std::make_shared<decltype(handler)>(std::move(handler));
        if (way == how::throws_after) throw std::runtime_error("after");
        if (way == how::completes_at_once) return (*kept)(boost::system::error_code(), 3);
        std::thread([kept] {
          std::this_thread::sleep_for(2ms);
          (*kept)(boost::system::error_code(), 4);
        }).detach();
        throw std::runtime_error("late");
      },
      token, way);
}

task<std::string> try_operation(how way) {
  std::string ends;
  try {
    const int got = co_await begin_operation(way, use_task);
    ends = std::to_string(got);
  } catch (const std::runtime_error& error) {
    ends = error.what();
  }
  co_await sleep_for(1ms);  // a second resumption would come here
  co_return ends;
}

struct pair {
  int mine = -1;
  int peers = -1;
  pair() {
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, both) != 0) throw std::runtime_error("socketpair");
    mine = both[0];
    peers = both[1];
  }
};

/// Reads from a peer that says nothing. Owns its socket.
task<> read_in_vain(asio::any_io_executor executor, int fd, std::atomic<int>& cancelled_reads) {
  local::socket socket(executor, local(), fd);
  char byte = 0;
  try {
    (void)co_await socket.async_read_some(asio::buffer(&byte, 1), use_task);
  } catch (const cancelled&) {
    ++cancelled_reads;
  }
}
/// Writes more than fits.
task<> write_in_vain(asio::any_io_executor executor, int fd, std::atomic<int>& cancelled_writes) {
  local::socket socket(executor, local(), fd);
  const std::string much(1 << 22, 'x');
  try {
    (void)co_await asio::async_write(socket, asio::buffer(much), use_task);
  } catch (const cancelled&) {
    ++cancelled_writes;
  }
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

task<> wait_for_timer(asio_executor executor) {
  asio::steady_timer timer(executor, 5ms);
  co_await timer.async_wait(use_task);
}

}  // namespace

TEST_CASE("an initiation that throws is thrown once, after what it started has let go") {
  for (const unsigned threads : {1U, 3U}) {
    runtime on(several(threads));
    CHECK(on.run(try_operation(how::throws_before)) == "before");
    CHECK(on.run(try_operation(how::throws_after)) == "after");
    CHECK(on.run(try_operation(how::throws_and_completes)) == "late");
    CHECK(on.run(try_operation(how::completes_at_once)) == "3");
  }
}

TEST_CASE("a runtime that ends cancels what its tasks wait for, though run_on is gone already") {
  for (const unsigned threads : {1U, 3U}) {
    for (int round = 0; round < 20; ++round) {
      std::atomic<int> ended{0};
      {
        asio::io_context context;
        runtime on(several(threads));
        const run_on io(on, context);
        for (int i = 0; i < 3; ++i) {
          on.spawn(read_in_vain(context.get_executor(), pair().mine, ended)).detach();
          on.spawn(read_in_vain(io.get_executor(), pair().mine, ended)).detach();
          on.spawn(write_in_vain(io.get_executor(), pair().mine, ended)).detach();
        }
        if (round % 2 == 0) on.run([]() -> task<> { co_await sleep_for(1ms); }());
      }
      CHECK(ended == 9);
    }
  }
}

TEST_CASE("an io_context that goes first waits until tasks have let go of its objects") {
  for (const unsigned threads : {1U, 3U}) {
    for (int round = 0; round < 20; ++round) {
      std::atomic<int> ended{0};
      runtime on(several(threads));
      {
        asio::io_context context;
        const run_on io(on, context);
        for (int i = 0; i < 3; ++i)
          on.spawn(read_in_vain(io.get_executor(), pair().mine, ended)).detach();
        on.run([]() -> task<> { co_await sleep_for(5ms); }());
      }
      CHECK(ended == 3);
    }
  }
}

TEST_CASE("an executor may outlive run_on and the runtime") {
  asio::io_context context;
  std::optional<asio_executor> executor;
  std::optional<asio::steady_timer> timer;
  bool has_fired = false;
  {
    runtime on(alone());
    const run_on io(on, context);
    executor = io.get_executor();
    timer.emplace(*executor, 1ms);
  }
  timer->expires_after(1ms);
  timer->async_wait([&](boost::system::error_code) { has_fired = true; });
  int ran = 0;
  asio::post(*executor, [&] { ++ran; });
  context.restart();
  context.run();
  context.restart();
  context.run();  // what the first run handed on
  CHECK(ran == 1);
  CHECK(has_fired);
  asio::post(*executor, [kept = std::make_shared<int>(1)] { (void)kept; });  // is dropped
}

TEST_CASE("an io_context that ran dry or was stopped goes on, and no thread spins") {
  for (const unsigned threads : {1U, 2U}) {
    asio::io_context context;
    context.run();  // nothing to do: stopped
    runtime on(several(threads));
    const run_on io(on, context);
    on.run(wait_for_timer(io.get_executor()));
    context.stop();
    on.run(wait_for_timer(io.get_executor()));
    context.stop();
    std::this_thread::sleep_for(100ms);
    const double before = cpu_seconds();
    std::this_thread::sleep_for(200ms);
    CHECK(cpu_seconds() - before < 0.02);
    on.run(wait_for_timer(io.get_executor()));
  }
}

TEST_CASE("a sleep until the end of time beside run_on uses no CPU") {
  asio::io_context context;
  runtime on(alone());
  const run_on io(on, context);
  auto sleeping = on.spawn([](std::stop_token stop) -> task<bool> {
    try {
      co_await sleep_until(std::chrono::steady_clock::time_point::max(), stop);
    } catch (const cancelled&) {
      co_return true;
    }
    co_return false;
  }(on.stop_token()));
  std::this_thread::sleep_for(100ms);
  const double before = cpu_seconds();
  std::this_thread::sleep_for(200ms);
  CHECK(cpu_seconds() - before < 0.02);
  CHECK_FALSE(sleeping.has_ended());
  on.request_stop();
  CHECK(on.run(
      [](auto sleeping) -> task<bool> { co_return co_await sleeping; }(std::move(sleeping))));
}
