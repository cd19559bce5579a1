// SPDX-License-Identifier: GPL-2.0-only
// Morpheus: tasks that come and go.
#include <morpheus/event.hpp>
#include <morpheus/when_all.hpp>
#include <morpheus/yield.hpp>

#include "../burn.hpp"
#include "../fib.hpp"
#include "../measures.hpp"
#include "../resident.hpp"
#include "runtimes.hpp"

namespace bench {
namespace {

using morpheus::task;

task<> trivial() { co_return; }

task<double> spawn_batches(std::size_t n) {
  const auto start = Clock::now();
  for (std::size_t done = 0; done < n; done += kBatch) {
    morpheus::scope batch;
    for (std::size_t i = 0; i < kBatch; ++i) batch.spawn(trivial());
    co_await batch.join();
  }
  co_return seconds_since(start);
}

task<std::uint64_t> fib(unsigned n) {
  if (n < 2) co_return n;
  const auto [left, right] = co_await morpheus::when_all(fib(n - 1), fib(n - 2));
  co_return left + right;
}

task<> burn_once(const Burn& burn) {
  burn();
  co_return;
}

task<double> burn_often(const Burn& burn, std::size_t tasks) {
  const auto start = Clock::now();
  morpheus::scope all;
  for (std::size_t i = 0; i < tasks; ++i) all.spawn(burn_once(burn));
  co_await all.join();
  co_return seconds_since(start);
}

task<> wait_for(morpheus::event& event, std::size_t& woken) {
  co_await event;
  ++woken;
}

task<> wait_in_numbers(std::size_t tasks) {
  morpheus::event event;
  morpheus::scope all;
  std::size_t woken = 0;
  const double before = resident_bytes();
  for (std::size_t i = 0; i < tasks; ++i) all.spawn(wait_for(event, woken));
  co_await morpheus::yield();
  report("bytes", (resident_bytes() - before) / static_cast<double>(tasks));
  event.set();
  co_await all.join();
  if (woken != tasks) std::abort();
}

}  // namespace

void memory(const Run& run) {
  morpheus::runtime runtime(threads(1));
  runtime.run(wait_in_numbers(run.scaled(1'000'000)));
}

void spawn_join(const Run& run) {
  morpheus::runtime runtime(threads(number(run.variant)));
  report("task", nanoseconds_each(run, kBatch,
                                  [&](std::size_t n) { return runtime.run(spawn_batches(n)); }));
}

void fork_join(const Run& run) {
  morpheus::runtime runtime(threads(number(run.variant)));
  const unsigned n = fib_for(run);
  runtime.run(fib(20));  // so that the threads have started
  const auto start = Clock::now();
  const std::uint64_t result = runtime.run(fib(n));
  report_fib(n, result, seconds_since(start));
}

void scaling(const Run& run) {
  const std::size_t tasks = run.scaled(20'000);
  const Burn burn{std::chrono::microseconds(10)};
  morpheus::runtime runtime(threads(number(run.variant)));
  report("task", runtime.run(burn_often(burn, tasks)) / static_cast<double>(tasks) * 1e9);
}

}  // namespace bench
