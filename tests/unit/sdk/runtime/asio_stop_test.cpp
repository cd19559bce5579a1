// SPDX-License-Identifier: GPL-2.0-only
// A stop reaches the operations of Asio that tasks wait for, as it reaches all other waits.
#include <morpheus/adapters/asio.hpp>
#include <morpheus/cancellation.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/when_all.hpp>
#include <morpheus/when_any.hpp>
#include <morpheus/yield.hpp>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::several;
using local = boost::asio::local::stream_protocol;
namespace asio = boost::asio;

namespace {

struct Connection {
  explicit Connection(const asio_executor& executor) : mine(executor), peers(executor) {
    asio::local::connect_pair(mine, peers);
  }
  local::socket mine;
  local::socket peers;
};

task<std::size_t> read(local::socket& from) {
  char bytes[64];
  co_return co_await from.async_read_some(asio::buffer(bytes), use_task);
}
/// Writes more than fits: a composed operation.
task<> write_much(local::socket& to) {
  const std::string much(1 << 22, 'x');
  co_await asio::async_write(to, asio::buffer(much), use_task);
}
task<bool> is_cancelled(task<> tried) {
  try {
    co_await std::move(tried);
  } catch (const cancelled&) {
    co_return true;
  }
  co_return false;
}
task<> drop_result(task<std::size_t> tried) { (void)co_await std::move(tried); }

void with_each_runtime(task<> (*body)(asio_executor)) {
  for (const unsigned threads : {1U, 3U}) {
    asio::io_context context;
    runtime on(several(threads));
    const run_on io(on, context);
    on.run(body(io.get_executor()));
  }
}

task<> stop_scope(asio_executor executor) {
  Connection silent(executor);
  Connection deaf(executor);
  std::atomic<int> ended{0};
  const auto count = [&](task<> tried) -> task<> {
    const bool is_stopped = co_await is_cancelled(std::move(tried));
    if (is_stopped) ++ended;
  };
  for (const auto span : {0ms, 2ms}) {  // before and after the operations have begun
    co_await with_scope([&](scope& scope) -> task<> {
      scope.spawn(count(drop_result(read(silent.mine))));
      scope.spawn(count(write_much(deaf.mine)));
      co_await sleep_for(span);
      scope.request_stop();
    });
  }
  CHECK(ended == 4);
}

task<> limit_time(asio_executor executor) {
  Connection silent(executor);
  bool is_late = false;
  char bytes[64];
  try {
    (void)co_await with_timeout(2ms, silent.mine.async_read_some(asio::buffer(bytes), use_task));
  } catch (const timed_out&) {
    is_late = true;
  }
  CHECK(is_late);
  const auto [error, got] = co_await with_timeout(
      2ms, silent.mine.async_read_some(asio::buffer(bytes), asio::as_tuple(use_task)));
  CHECK(error == asio::error::operation_aborted);
  co_await asio::async_write(silent.peers, asio::buffer("abc", 3), use_task);
  const std::size_t in_time = co_await with_timeout(1h, read(silent.mine));
  CHECK(in_time == 3);  // the socket is as good as before
}

task<> select_among(asio_executor executor) {
  Connection silent(executor);
  const auto [got, late] = co_await when_any(read(silent.mine), sleep_for(2ms));
  CHECK_FALSE(got.has_value());
  CHECK(late.has_value());
  char bytes[64];
  co_await asio::async_write(silent.peers, asio::buffer("abc", 3), use_task);
  const auto [now, never] =
      co_await when_any(silent.mine.async_read_some(asio::buffer(bytes), use_task), sleep_for(1h));
  CHECK(now.value_or(0) == 3);
  CHECK_FALSE(never.has_value());
}

task<> fail_beside(asio_executor executor) {
  Connection silent(executor);
  bool has_failed = false;
  try {
    co_await when_all(drop_result(read(silent.mine)), []() -> task<> {
      co_await sleep_for(1ms);
      throw std::runtime_error("the other one");
    }());
  } catch (const std::runtime_error&) {
    has_failed = true;
  }
  CHECK(has_failed);
}

task<> begin_after_stop(asio_executor executor) {
  Connection connection(executor);
  std::size_t was_there = 0;
  std::size_t was_kept = 0;
  bool is_stopped = false;
  co_await asio::async_write(connection.peers, asio::buffer("abc", 3), use_task);
  co_await with_scope([&](scope& scope) -> task<> {
    scope.request_stop();
    was_there = co_await read(connection.mine);  // need not wait
    is_stopped = co_await is_cancelled(drop_result(read(connection.mine)));
    was_kept = co_await shielded([](Connection& with) -> task<std::size_t> {
      asio::steady_timer timer(with.mine.get_executor(), 2ms);
      co_await timer.async_wait(use_task);
      co_await asio::async_write(with.peers, asio::buffer("abcd", 4), use_task);
      co_return co_await read(with.mine);
    }(connection));
  });
  CHECK(was_there == 3);
  CHECK(is_stopped);
  CHECK(was_kept == 4);
}

/// An operation that ends when it is cancelled, and calls `on_cancel` then.
template <class F>
auto until_cancelled(F on_cancel) {
  return asio::async_initiate<const use_task_t, void(boost::system::error_code)>(
      [on_cancel](auto handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto kept = std::make_shared<decltype(handler)>(std::move(handler));
        slot.assign([on_cancel, kept](asio::cancellation_type) {
          on_cancel();
          std::move (*kept)(boost::system::error_code(asio::error::operation_aborted));
        });
      },
      use_task);
}

task<> cancel_with_code(asio_executor) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> calls = 0;
    bool is_stopped = false;
    co_await with_scope([&](scope& scope) -> task<> {
      scope.spawn([](auto& scope, auto& calls, bool& is_stopped) -> task<> {
        is_stopped = co_await is_cancelled([](auto& scope, auto& calls) -> task<> {
          // Takes the locks of the scope that is being stopped.
          co_await until_cancelled([&] {
            scope.request_stop();
            calls += scope.stop_token().stop_requested() ? 1 : 0;
          });
        }(scope, calls));
      }(scope, calls, is_stopped));
      if (round % 2 == 0) co_await yield();
      scope.request_stop();
    });
    CHECK(is_stopped);
    CHECK(calls == 1);
  }
}

/// Stops that come at the moment at which the operation completes.
task<> race(asio_executor executor) {
  int got = 0;
  int late = 0;
  for (int round = 0; round < 300; ++round) {
    Connection connection(executor);
    const auto span = std::chrono::microseconds(round % 40);
    const auto answer = [](Connection& with, std::chrono::microseconds after) -> task<> {
      co_await sleep_for(after);
      co_await asio::async_write(with.peers, asio::buffer("abc", 3), use_task);
    };
    const auto ask = [&](Connection& with) -> task<> {
      try {
        const std::size_t bytes = co_await with_timeout(span, read(with.mine));
        if (bytes == 3) ++got;
      } catch (const timed_out&) {
        ++late;
      }
    };
    co_await when_all(ask(connection), answer(connection, span));
  }
  CHECK(got + late == 300);
}

}  // namespace

TEST_CASE("a stop of a scope cancels the operations of its tasks, composed ones, too") {
  with_each_runtime(stop_scope);
}

TEST_CASE("an operation has a limit of time, and its object is usable afterwards") {
  with_each_runtime(limit_time);
}

TEST_CASE("when_any selects between an operation and a time") { with_each_runtime(select_among); }

TEST_CASE("a task that fails in when_all cancels the operations of the others") {
  with_each_runtime(fail_beside);
}

TEST_CASE("an operation of a stopped task is cancelled if it waits, unless it is shielded") {
  with_each_runtime(begin_after_stop);
}

TEST_CASE("what cancels an operation runs under no lock") { with_each_runtime(cancel_with_code); }

TEST_CASE("a stop may come as the operation completes") { with_each_runtime(race); }
