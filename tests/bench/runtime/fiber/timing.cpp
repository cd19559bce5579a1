// SPDX-License-Identifier: GPL-2.0-only
// Fiber: sleeping fibers, a hog beside a probe, and threads with nothing to do.
#include <sys/prctl.h>

#include <atomic>

#include "../burn.hpp"
#include "../gap.hpp"
#include "../measures.hpp"
#include "fibers.hpp"

namespace bench {

void timers(const Run& run) {
  prctl(PR_SET_TIMERSLACK, 1);
  const Sleeps sleeps(run);
  Lateness lateness;
  const double before = cpu_seconds();
  std::vector<fibers::fiber> all;
  for (std::size_t task = 0; task < sleeps.tasks; ++task) {
    all.push_back(start([&, task] {
      for (std::size_t k = 0; k < sleeps.each; ++k) {
        const auto due = Clock::now() + sleeps.length(task, k);
        boost::this_fiber::sleep_until(due);
        lateness.add(due, Clock::now());
      }
    }));
  }
  for (auto& fiber : all) fiber.join();
  sleeps.report_all(lateness, cpu_seconds() - before);
}

void hog(const Run& run) {
  prctl(PR_SET_TIMERSLACK, 1);
  const bool safe_points = run.variant != "no-safe-points";
  bool over = false;
  Ticks ticks(run);
  fibers::fiber hog = start([&] {
    const Burn burn(kBetweenSafePoints);
    while (!over) {
      for (int i = 0; i < kChunks && !over; ++i) {
        burn();
        if (safe_points) boost::this_fiber::yield();
      }
      boost::this_fiber::yield();
    }
  });
  do boost::this_fiber::sleep_until(ticks.due());
  while (ticks.done());
  over = true;
  hog.join();
  ticks.report_all();
}

void idle(const Run& run) {
  std::thread([] {
    on_threads(2, [] { boost::this_fiber::sleep_for(std::chrono::hours(1)); }, true);
  }).detach();
  report_idle(run);
  leave();
}

void wake(const Run& run) {
  const std::size_t wakes = run.scaled(1000);
  fibers::buffered_channel<std::size_t> channel(4096);
  std::atomic<std::size_t> woken = 0;
  std::thread([&] {
    for (std::size_t value = 0;; woken.fetch_add(1)) channel.pop(value);
  }).detach();
  for (std::size_t i = 0; i < wakes; ++i) {
    sleep_for_gap();
    channel.push(i);
  }
  sleep_until_done([&] { return woken == wakes; });
  report("wakes", static_cast<double>(wakes));
  leave();
}

}  // namespace bench
