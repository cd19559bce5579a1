// SPDX-License-Identifier: GPL-2.0-only
// Morpheus: sleeping tasks, and a hog beside a probe.
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>

#include <atomic>

#include "../burn.hpp"
#include "../lateness.hpp"
#include "../measures.hpp"
#include "runtimes.hpp"

namespace bench {
namespace {

using morpheus::task;

task<> sleep_often(const Sleeps& sleeps, std::size_t number, Lateness& lateness) {
  for (std::size_t k = 0; k < sleeps.each; ++k) {
    const auto due = Clock::now() + sleeps.length(number, k);
    co_await morpheus::sleep_until(due);
    lateness.add(due, Clock::now());
  }
}

task<> sleep_all(const Sleeps& sleeps, Lateness& lateness) {
  morpheus::scope all;
  for (std::size_t i = 0; i < sleeps.tasks; ++i) all.spawn(sleep_often(sleeps, i, lateness));
  co_await all.join();
}

task<> burn_until(const std::atomic<bool>& over, bool safe_points) {
  const Burn burn(kBetweenSafePoints);
  while (!over) {
    for (int i = 0; i < kChunks && !over; ++i) {
      burn();
      if (safe_points) co_await morpheus::yield();
    }
    co_await morpheus::yield();
  }
}

task<> probe(Ticks& ticks, std::atomic<bool>& over) {
  do co_await morpheus::sleep_until(ticks.due());
  while (ticks.done());
  over = true;
}

task<> probe_beside_hog(Ticks& ticks, bool safe_points) {
  std::atomic<bool> over = false;  // they may be on two threads
  morpheus::scope both;
  both.spawn(burn_until(over, safe_points));
  both.spawn(probe(ticks, over));
  co_await both.join();
}

}  // namespace

void timers(const Run& run) {
  const Sleeps sleeps(run);
  Lateness lateness;
  morpheus::runtime runtime(threads(1));
  const double before = cpu_seconds();
  runtime.run(sleep_all(sleeps, lateness));
  sleeps.report_all(lateness, cpu_seconds() - before);
}

/// One thread; a relief thread takes over only while that makes no step, on the same CPU.
void hog(const Run& run) {
  const bool safe_points = run.variant != "no-safe-points";
  auto options = threads(1);
  if (run.variant != "safe-points") options.relief_threads = 1;
  morpheus::runtime runtime(options);
  Ticks ticks(run);
  runtime.run(probe_beside_hog(ticks, safe_points));
  ticks.report_all();
}

}  // namespace bench
