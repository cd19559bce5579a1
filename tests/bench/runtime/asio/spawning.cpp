// SPDX-License-Identifier: GPL-2.0-only
// Asio: tasks that come and go.
#include <atomic>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/steady_timer.hpp>

#include "../burn.hpp"
#include "../fib.hpp"
#include "../measures.hpp"
#include "../pinned_threads.hpp"
#include "../resident.hpp"
#include "context.hpp"

namespace bench {
namespace {

using namespace asio::experimental::awaitable_operators;
using Ended = asio::experimental::concurrent_channel<Executor, void(boost::system::error_code)>;

Task<> trivial() { co_return; }

/// Spawns batches and waits for each: the last of its tasks to end sends the message.
Task<> spawn_batches(Executor executor, std::size_t n) {
  Ended ended(executor, 1);
  for (std::size_t done = 0; done < n; done += kBatch) {
    std::atomic<std::size_t> left = kBatch;
    for (std::size_t i = 0; i < kBatch; ++i) {
      co_spawn(executor, trivial(), [&](const std::exception_ptr&) {
        if (left.fetch_sub(1, std::memory_order_acq_rel) == 1)
          ended.try_send(boost::system::error_code());
      });
    }
    co_await ended.async_receive(Await());
  }
}

Task<std::uint64_t> fib(unsigned n) {
  if (n < 2) co_return n;
  const auto [left, right] = co_await (fib(n - 1) && fib(n - 2));
  co_return left + right;
}

void run_on(asio::io_context& context, std::size_t threads) {
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < threads; ++i) {
    others.emplace_back([&, i] {
      pin(i);
      context.run();
    });
  }
  pin(0);
  context.run();
}

/// Runs a task to its end on the threads of the variant, and returns the seconds that took.
template <class T>
double time_alone_or_shared(std::size_t threads, T&& task_on) {
  asio::io_context context(threads == 1 ? BOOST_ASIO_CONCURRENCY_HINT_UNSAFE
                                        : static_cast<int>(threads));
  co_spawn(context.get_executor(), task_on(context.get_executor()), asio::detached);
  const auto start = Clock::now();
  run_on(context, threads);
  return seconds_since(start);
}

Task<> keep(Task<std::uint64_t> task, std::uint64_t& result) { result = co_await std::move(task); }

using Event = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

Task<> wait_for(Event& event) { co_await event.async_wait(Await()); }

}  // namespace

void spawn_join(const Run& run) {
  const std::size_t threads = number(run.variant);
  report("task", nanoseconds_each(run, kBatch, [&](std::size_t n) {
           return time_alone_or_shared(
               threads, [n](Executor executor) { return spawn_batches(executor, n); });
         }));
}

void fork_join(const Run& run) {
  const unsigned n = fib_for(run, 25);
  std::uint64_t result = 0;
  const double seconds = time_alone_or_shared(
      number(run.variant), [&](const Executor&) { return keep(fib(n), result); });
  report_fib(n, result, seconds);
}

void memory(const Run& run) {
  const std::size_t tasks = run.scaled(1'000'000);
  Alone context;
  Event event(context.get_executor(), Clock::time_point::max());
  const double before = resident_bytes();
  for (std::size_t i = 0; i < tasks; ++i)
    co_spawn(context.get_executor(), wait_for(event), asio::detached);
  context.poll();
  report("bytes", (resident_bytes() - before) / static_cast<double>(tasks));
  leave();
}

void scaling(const Run& run) {
  const std::size_t threads = number(run.variant), tasks = run.scaled(20'000);
  const Burn burn{std::chrono::microseconds(10)};
  asio::io_context context(static_cast<int>(threads));
  const auto work = [](const Burn& burn) -> Task<> {
    burn();
    co_return;
  };
  const auto start = Clock::now();
  for (std::size_t i = 0; i < tasks; ++i)
    co_spawn(context.get_executor(), work(burn), asio::detached);
  run_on(context, threads);
  report("task", seconds_since(start) / static_cast<double>(tasks) * 1e9);
}

}  // namespace bench
