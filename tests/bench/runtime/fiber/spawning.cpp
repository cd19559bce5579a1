// SPDX-License-Identifier: GPL-2.0-only
// Fiber: fibers that come and go.
#include "../burn.hpp"
#include "../fib.hpp"
#include "../measures.hpp"
#include "../resident.hpp"
#include "fibers.hpp"

namespace bench {
namespace {

double spawn_batches(std::size_t n) {
  const auto began = Clock::now();
  std::vector<fibers::fiber> batch;
  batch.reserve(kBatch);
  for (std::size_t done = 0; done < n; done += kBatch) {
    for (std::size_t i = 0; i < kBatch; ++i) batch.push_back(start([] {}));
    for (auto& fiber : batch) fiber.join();
    batch.clear();
  }
  return seconds_since(began);
}

std::uint64_t fib(unsigned n) {
  if (n < 2) return n;
  std::uint64_t left = 0;
  fibers::fiber forked = start([&left, n] { left = fib(n - 1); });
  const std::uint64_t right = fib(n - 2);
  forked.join();
  return left + right;
}

}  // namespace

void spawn_join(const Run& run) {
  on_threads(number(run.variant),
             [&] { report("task", nanoseconds_each(run, kBatch, spawn_batches)); });
}

void fork_join(const Run& run) {
  const unsigned n = fib_for(run, 26);
  std::uint64_t result = 0;
  const std::size_t threads = number(run.variant);
  if (threads == 1) fibers::use_scheduling_algorithm<NewestFirst>();
  const double seconds = on_threads(threads, [&] { result = fib(n); });
  report_fib(n, result, seconds);
}

void memory(const Run& run) {
  const std::size_t tasks = run.scaled(1'000'000);
  const double before = resident_bytes();
  bool event = false;
  fibers::mutex mutex;
  fibers::condition_variable happened;
  for (std::size_t i = 0; i < tasks; ++i) {
    fibers::fiber(fibers::launch::dispatch, std::allocator_arg, fibers::fixedsize_stack(kStack),
                  [&] {
                    std::unique_lock lock(mutex);
                    happened.wait(lock, [&] { return event; });
                  })
        .detach();
  }
  report("bytes", (resident_bytes() - before) / static_cast<double>(tasks));
  leave();
}

void scaling(const Run& run) {
  const std::size_t tasks = run.scaled(20'000);
  const Burn burn{std::chrono::microseconds(10)};
  const double seconds = on_threads(number(run.variant), [&] {
    std::vector<fibers::fiber> all;
    for (std::size_t i = 0; i < tasks; ++i) all.push_back(start([&] { burn(); }));
    for (auto& fiber : all) fiber.join();
  });
  report("task", seconds / static_cast<double>(tasks) * 1e9);
}

}  // namespace bench
