// SPDX-License-Identifier: GPL-2.0-only
// use_task among Asio's other completion tokens, adapters and executors.
#include <morpheus/adapters/asio.hpp>
#include <morpheus/event.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using namespace std::chrono_literals;
using morpheus::test::several;
namespace asio = boost::asio;
using error_code = boost::system::error_code;

namespace {

void with_asio(task<> (*body)(asio_executor)) {
  for (const unsigned threads : {1U, 3U}) {
    asio::io_context context;
    runtime on(several(threads));
    const run_on io(on, context);
    on.run(body(io.get_executor()));
  }
}

task<> use_slots(asio_executor executor) {
  asio::steady_timer timer(executor, 1h);
  asio::cancellation_signal signal;
  asio::steady_timer soon(executor, 5ms);
  soon.async_wait([&](error_code) { signal.emit(asio::cancellation_type::all); });
  error_code error;
  co_await timer.async_wait(
      asio::bind_cancellation_slot(signal.slot(), asio::redirect_error(use_task, error)));
  CHECK(error == asio::error::operation_aborted);
  bool is_thrown = false;
  soon.expires_after(5ms);
  soon.async_wait([&](error_code) { signal.emit(asio::cancellation_type::all); });
  try {
    co_await timer.async_wait(asio::bind_cancellation_slot(signal.slot(), use_task));
  } catch (const boost::system::system_error& thrown) {
    is_thrown = thrown.code() == asio::error::operation_aborted;
  }
  CHECK(is_thrown);
}

task<> use_adapters(asio_executor executor) {
  asio::steady_timer timer(executor, 1ms);
  error_code error = asio::error::eof;
  co_await timer.async_wait(asio::redirect_error(use_task, error));
  CHECK_FALSE(error);
  co_await timer.async_wait(asio::bind_executor(executor, use_task));
  co_await timer.async_wait(asio::bind_allocator(std::allocator<void>(), use_task));
  const int appended = co_await timer.async_wait(asio::append(use_task, 5));
  CHECK(appended == 5);
  auto later = timer.async_wait(asio::deferred);
  co_await std::move(later)(use_task);
  auto kept = timer.async_wait(use_task);
  co_await std::move(kept);
  using tuple = asio::as_tuple_t<use_task_t>;
  auto as_tuple = tuple::as_default_on(asio::steady_timer(executor, 1ms));
  const auto [got] = co_await as_tuple.async_wait();
  CHECK_FALSE(got);
}

task<> use_executors(asio_executor executor) {
  const runtime* const home = runtime::current();
  const auto strand = asio::make_strand(executor);
  asio::steady_timer on_strand(strand, 1ms);
  co_await on_strand.async_wait(use_task);
  co_await asio::post(strand, use_task);
  co_await asio::dispatch(executor, use_task);
  co_await asio::post(executor, use_task);
  co_await asio::defer(executor, use_task);
  co_await asio::post(use_task);
  const asio::any_io_executor any = executor;
  asio::steady_timer on_any(any, 1ms);
  co_await on_any.async_wait(use_task);
  asio::thread_pool pool(1);
  co_await asio::post(pool, use_task);
  CHECK(runtime::current() == home);
}

asio::awaitable<int> nine() {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  co_return 9;
}

task<> use_experimental(asio_executor executor) {
  asio::steady_timer soon(executor, 2ms);
  asio::steady_timer late(executor, 1h);
  const auto [order, first, second] =
      co_await asio::experimental::make_parallel_group(soon.async_wait(asio::deferred),
                                                       late.async_wait(asio::deferred))
          .async_wait(asio::experimental::wait_for_one(), use_task);
  CHECK(order[0] == 0);
  CHECK_FALSE(first);
  CHECK(second == asio::error::operation_aborted);
  asio::experimental::channel<void(error_code, int)> channel(executor, 1);
  channel.async_send({}, 5, asio::detached);
  const int ready = co_await channel.async_receive(use_task);
  CHECK(ready == 5);
  soon.expires_after(2ms);
  soon.async_wait([&](error_code) { channel.async_send({}, 6, asio::detached); });
  const int waited_for = co_await channel.async_receive(use_task);
  CHECK(waited_for == 6);
  const int from_awaitable = co_await asio::co_spawn(executor, nine(), use_task);
  CHECK(from_awaitable == 9);
}

task<int> ten() {
  co_await sleep_for(1ms);
  co_return 10;
}
task<> fail() {
  co_await yield();
  throw std::runtime_error("no answer");
}
task<> for_ever(bool& is_stopped) {
  event never;
  try {
    co_await never;
  } catch (const cancelled&) {
    is_stopped = true;
    throw;
  }
}

/// A coroutine of Asio's that waits for tasks.
asio::awaitable<void> wait_for_tasks(runtime& on) {
  const auto here = std::this_thread::get_id();
  const int given = co_await co_spawn(on, ten(), asio::use_awaitable);
  CHECK(given == 10);
  CHECK(std::this_thread::get_id() == here);
  std::string why;
  try {
    co_await co_spawn(on, fail(), asio::use_awaitable);
  } catch (const std::runtime_error& error) {
    why = error.what();
  }
  CHECK(why == "no answer");
  const auto group = on.add_group({.name = "asked"});
  const auto [error, ten_more] =
      co_await co_spawn(group, ten(), asio::as_tuple(asio::use_awaitable));
  CHECK_FALSE(error);
  CHECK(ten_more == 10);
  bool is_stopped = false;
  asio::steady_timer timer(co_await asio::this_coro::executor, 2ms);
  using namespace asio::experimental::awaitable_operators;
  const auto first = co_await (co_spawn(on, for_ever(is_stopped), asio::use_awaitable) ||
                               timer.async_wait(asio::use_awaitable));
  CHECK(first.index() == 1);
  CHECK(is_stopped);
}

}  // namespace

TEST_CASE("an operation with a cancellation slot of its own heeds it") { with_asio(use_slots); }

TEST_CASE("Asio's adapters of tokens work with use_task") { with_asio(use_adapters); }

TEST_CASE("a task comes home from any of Asio's executors") { with_asio(use_executors); }

TEST_CASE("parallel groups, channels and awaitables of Asio can be awaited") {
  with_asio(use_experimental);
}

TEST_CASE("what is written for Asio waits for tasks, and cancels them") {
  for (const unsigned threads : {1U, 3U}) {
    asio::io_context context;
    runtime on(several(threads));
    std::exception_ptr failure;
    asio::co_spawn(context, wait_for_tasks(on),
                   [&](std::exception_ptr thrown) { failure = thrown; });
    context.run();
    CHECK_FALSE(failure);
    CHECK(co_spawn(on, ten(), asio::use_future).get() == 10);
    CHECK_THROWS_AS(co_spawn(on, fail(), asio::use_future).get(), std::runtime_error);
    std::promise<runtime*> where;
    co_spawn(on, ten(),
             [&](const std::exception_ptr&, int) { where.set_value(runtime::current()); });
    CHECK(where.get_future().get() == &on);
  }
}
