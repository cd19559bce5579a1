// SPDX-License-Identifier: GPL-2.0-only
// A lock that cooperative workers take inside critical sections, on a CPU that has far too much to
// do: how long they wait for it. A worker that loses the CPU while it holds the lock makes all
// others wait.
#include "tests/bench/scheduler/parts.hpp"

#include <thread>

namespace morpheus::bench {
namespace {

using test::Load;
using test::Manner;
using test::ThreadSpec;

constexpr double kTimesBetter = 5;
constexpr std::size_t kWorkers = 8;
constexpr std::size_t kBurners = 2;

sim::Histogram waits_of(const Load& load) {
  sim::Histogram all;
  for (std::size_t i = 0; i < kWorkers; ++i) all.add(load.times(i));
  return all;
}

}  // namespace

void measure_lock(const Bench& bench) {
  std::vector<ThreadSpec> threads(kWorkers, {.manner = Manner::locker});
  threads.resize(kWorkers + kBurners, {.manner = Manner::rival});
  Ratio better;
  bench.each_round(
      bench.possible({Subject::kernel, Subject::fifo, Subject::observer, Subject::enforced}),
      [&](Subject subject) {
        const Load load(bench.host.socket(), Host::crowded_cpu(), threads, nullptr);
        bench.expect_watched(subject, load, kWorkers);
        std::this_thread::sleep_for(std::chrono::duration<double>(bench.options.seconds));
        const auto waits = waits_of(load);
        const auto us = [&](unsigned per_mille) {
          return static_cast<double>(waits.quantile(per_mille)) / 1e3;
        };
        bench.figures.add("acquisitions of the lock", "count", subject,
                          static_cast<double>(waits.count()));
        bench.figures.add("wait for it, p50", "us", subject, us(500));
        bench.figures.add("wait for it, p99", "us", subject, us(990));
        bench.figures.add("wait for it, p99.9", "us", subject, us(999));
        if (const auto ratio = better.of(subject, us(990)))
          bench.figures.add(
              "p99, times better than the kernel", "x", subject, *ratio,
              subject == Subject::enforced ? std::optional(at_least(kTimesBetter)) : std::nullopt);
      });
}

}  // namespace morpheus::bench
