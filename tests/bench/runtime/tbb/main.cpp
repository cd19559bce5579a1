// SPDX-License-Identifier: GPL-2.0-only
// oneTBB: task groups in an arena. It has no tasks that wait, so it plays only what forks and
// joins.
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <string>
#include <thread>

#include "../burn.hpp"
#include "../fib.hpp"
#include "../gap.hpp"
#include "../measures.hpp"

namespace bench {
namespace {

namespace tbb = oneapi::tbb;

int number(std::string_view text) { return std::stoi(std::string(text)); }

std::uint64_t fib(unsigned n) {
  if (n < 2) return n;
  std::uint64_t left = 0;
  tbb::task_group group;
  group.run([&left, n] { left = fib(n - 1); });
  const std::uint64_t right = fib(n - 2);
  group.wait();
  return left + right;
}

void spawn_batches(std::size_t n) {
  for (std::size_t done = 0; done < n; done += kBatch) {
    tbb::task_group group;
    for (std::size_t i = 0; i < kBatch; ++i) group.run([] {});
    group.wait();
  }
}

}  // namespace

void spawn_join(const Run& run) {
  tbb::task_arena arena(number(run.variant));
  report("task", nanoseconds_each(run, kBatch, [&](std::size_t n) {
           const auto start = Clock::now();
           arena.execute([n] { spawn_batches(n); });
           return seconds_since(start);
         }));
}

void fork_join(const Run& run) {
  tbb::task_arena arena(number(run.variant));
  const unsigned n = fib_for(run);
  std::uint64_t result = 0;
  arena.execute([&] { result = fib(20); });  // so that the threads have started
  const auto start = Clock::now();
  arena.execute([&] { result = fib(n); });
  report_fib(n, result, seconds_since(start));
}

void scaling(const Run& run) {
  const std::size_t tasks = run.scaled(20'000);
  const Burn burn{std::chrono::microseconds(10)};
  tbb::task_arena arena(number(run.variant));
  const auto start = Clock::now();
  arena.execute([&] {
    tbb::task_group group;
    for (std::size_t i = 0; i < tasks; ++i) group.run([&] { burn(); });
    group.wait();
  });
  report("task", seconds_since(start) / static_cast<double>(tasks) * 1e9);
}

void idle(const Run& run) {
  tbb::task_arena arena(2);
  arena.execute([] { fib(20); });
  report_idle(run);
  leave();
}

void wake(const Run& run) {
  const std::size_t wakes = run.scaled(1000);
  tbb::task_arena arena(2);
  std::atomic<std::size_t> woken = 0;
  for (std::size_t i = 0; i < wakes; ++i) {
    sleep_for_gap();
    arena.enqueue([&] { woken.fetch_add(1); });
  }
  sleep_until_done([&] { return woken == wakes; });
  report("wakes", static_cast<double>(wakes));
  leave();
}

}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  constexpr Measure kMeasures[] = {
      {"spawn-join", spawn_join},
      {"fork-join", fork_join},
      {"scaling", scaling},
      {"idle", idle},
      {"wake", wake},
  };
  return play(argc, argv, kMeasures);
}
