// SPDX-License-Identifier: GPL-2.0-only
// Asio and the runtime, both ways.
#include <morpheus/adapters/asio.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/when_all.hpp>
#include <morpheus/yield.hpp>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using morpheus::test::alone;
using morpheus::test::several;
namespace asio = boost::asio;

namespace {

task<> echo(tcp::socket socket) {
  char bytes[1024];
  while (true) {
    const auto [error, got] =
        co_await socket.async_read_some(asio::buffer(bytes), asio::as_tuple(use_task));
    if (error) co_return;
    co_await asio::async_write(socket, asio::buffer(bytes, got), use_task);
  }
}

task<> serve(tcp::acceptor& acceptor, scope& connections) {
  while (true) {
    auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(use_task));
    if (error) co_return;
    connections.spawn(echo(std::move(socket)));
  }
}

task<int> talk(asio_executor executor, tcp::endpoint server, int messages) {
  tcp::socket socket(executor);
  co_await socket.async_connect(server, use_task);
  int right = 0;
  for (int i = 0; i < messages; ++i) {
    const std::string said = "message " + std::to_string(i);
    co_await asio::async_write(socket, asio::buffer(said), use_task);
    std::string heard(said.size(), ' ');
    std::size_t got = 0;
    while (got < said.size())
      got +=
          co_await socket.async_read_some(asio::buffer(&heard[got], said.size() - got), use_task);
    right += heard == said ? 1 : 0;
  }
  co_return right;
}

task<int> echo_among(asio_executor executor, int clients, int messages) {
  tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), 0});
  scope scope;
  scope.spawn(serve(acceptor, scope));
  std::vector<task<int>> talks;
  for (int i = 0; i < clients; ++i)
    talks.push_back(talk(executor, acceptor.local_endpoint(), messages));
  int right = 0;
  for (const int each : co_await when_all(std::move(talks))) right += each;
  acceptor.close();
  co_await scope.join();
  co_return right;
}

}  // namespace

TEST_CASE("Asio sockets and timers are awaited in tasks") {
  for (const unsigned threads : {1U, 4U}) {
    asio::io_context context;
    runtime runtime(several(threads));
    run_on io(runtime, context);
    CHECK(runtime.run(echo_among(io.get_executor(), 10, 100)) == 1000);
    runtime.run([](asio_executor executor) -> task<> {
      asio::steady_timer timer(executor, 5ms);
      const auto begun = std::chrono::steady_clock::now();
      co_await timer.async_wait(use_task);
      CHECK(std::chrono::steady_clock::now() - begun >= 5ms);
    }(io.get_executor()));
  }
}

TEST_CASE("an error of an Asio operation is thrown, or given where as_tuple asks for it") {
  asio::io_context context;
  runtime runtime(alone());
  run_on io(runtime, context);
  runtime.run([](asio_executor executor) -> task<> {
    asio::steady_timer timer(executor, 1h);
    scope scope;
    scope.spawn([](asio::steady_timer& timer) -> task<> {
      timer.cancel();
      co_return;
    }(timer));
    bool thrown = false;
    try {
      co_await timer.async_wait(use_task);
    } catch (const boost::system::system_error& error) {
      thrown = error.code() == asio::error::operation_aborted;
    }
    CHECK(thrown);
    co_await scope.join();
  }(io.get_executor()));
}

TEST_CASE("a task may await an io_context that another thread runs") {
  asio::io_context context;
  auto work = asio::make_work_guard(context);
  std::jthread runs([&] { context.run(); });
  runtime runtime(alone());
  const auto same = runtime.run([](asio::io_context& context) -> task<bool> {
    const auto before = std::this_thread::get_id();
    asio::steady_timer timer(context, 2ms);
    co_await timer.async_wait(use_task);
    co_return std::this_thread::get_id() == before;
  }(context));
  CHECK(same);
  work.reset();
}

TEST_CASE("an operation that is dropped gives cancelled") {
  runtime runtime(alone());
  auto context = std::make_unique<asio::io_context>();
  auto timer = std::make_unique<asio::steady_timer>(*context, 1h);
  auto waiting = runtime.spawn([](asio::steady_timer& timer) -> task<bool> {
    try {
      co_await timer.async_wait(use_task);
    } catch (const cancelled&) {
      co_return true;
    }
    co_return false;
  }(*timer));
  runtime.run([]() -> task<> { co_await yield(); }());
  context->restart();
  (void)timer.release();  // its context ends it
  context.reset();
  CHECK(runtime.run(
      [](auto waiting) -> task<bool> { co_return co_await waiting; }(std::move(waiting))));
}

TEST_CASE("handlers of an Asio program run on the runtime's threads, beside tasks") {
  asio::io_context context;
  runtime runtime(several(2));
  std::atomic<int> handled{0};
  std::atomic<bool> is_inside{true};
  {
    run_on io(runtime, context);
    for (int i = 0; i < 100; ++i) {
      asio::post(context, [&] {
        is_inside = is_inside && morpheus::runtime::current() == &runtime;
        ++handled;
      });
      asio::post(io.get_executor(), [&] {
        is_inside = is_inside && morpheus::runtime::current() == &runtime;
        ++handled;
      });
    }
    runtime.run([](std::atomic<int>& handled) -> task<> {
      while (handled != 200) co_await yield();
    }(handled));
    CHECK_THROWS_AS(run_on(runtime, context), std::logic_error);
  }
  CHECK(handled == 200);
  CHECK(is_inside);
  run_on again(runtime, context);
}

TEST_CASE("an io_context that has nothing to do uses no CPU") {
  asio::io_context context;
  runtime runtime(several(2));
  run_on io(runtime, context);
  std::this_thread::sleep_for(150ms);
  timespec before{};
  timespec after{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  std::this_thread::sleep_for(300ms);
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  CHECK((after.tv_sec - before.tv_sec) * 1'000'000'000L + after.tv_nsec - before.tv_nsec <
        3'000'000);
}
