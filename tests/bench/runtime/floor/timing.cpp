// SPDX-License-Identifier: GPL-2.0-only
// Floor: deadlines in a heap, and a hog that has a thread of its own.
#include <sys/prctl.h>

#include <atomic>
#include <queue>

#include "../burn.hpp"
#include "../lateness.hpp"
#include "../measures.hpp"
#include "../pinned_threads.hpp"
#include "coroutine.hpp"

namespace bench {
namespace {

using least::Job;

void sleep_until(Clock::time_point due) {
  const auto since = due.time_since_epoch();
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since);
  const timespec at{.tv_sec = whole.count(),
                    .tv_nsec = std::chrono::nanoseconds(since - whole).count()};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

struct Due {
  Clock::time_point at;
  std::coroutine_handle<> task;
  bool operator<(const Due& other) const { return at > other.at; }
};

struct Sleep {
  std::priority_queue<Due>& heap;
  Clock::time_point due;
  static bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<> task) { heap.push({due, task}); }
  static void await_resume() {}
};

Job sleep_often(const Sleeps& sleeps, std::size_t task, std::priority_queue<Due>& heap,
                Lateness& lateness) {
  for (std::size_t k = 0; k < sleeps.each; ++k) {
    const auto due = Clock::now() + sleeps.length(task, k);
    co_await Sleep{heap, due};
    lateness.add(due, Clock::now());
  }
}

}  // namespace

void timers(const Run& run) {
  prctl(PR_SET_TIMERSLACK, 1);
  const Sleeps sleeps(run);
  std::priority_queue<Due> heap;
  Lateness lateness;
  const double before = cpu_seconds();
  for (std::size_t i = 0; i < sleeps.tasks; ++i)
    sleep_often(sleeps, i, heap, lateness).handle.resume();
  while (!heap.empty()) {
    const Due first = heap.top();
    if (first.at > Clock::now()) {
      sleep_until(first.at);
      continue;
    }
    heap.pop();
    first.task.resume();
  }
  sleeps.report_all(lateness, cpu_seconds() - before);
}

void hog(const Run& run) {
  prctl(PR_SET_TIMERSLACK, 1);
  pin(0);
  std::atomic<bool> over = false;
  std::jthread hog([&] {
    for (Burn burn(kBetweenSafePoints); !over.load(std::memory_order_relaxed);) burn();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  Ticks ticks(run);
  do sleep_until(ticks.due());
  while (ticks.done());
  over = true;
  ticks.report_all();
}

}  // namespace bench
