// SPDX-License-Identifier: GPL-2.0-only
// Asio: timers, a hog beside a probe, and a context with nothing to do.
#include <sys/prctl.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>

#include "../burn.hpp"
#include "../gap.hpp"
#include "../measures.hpp"
#include "../pinned_threads.hpp"
#include "context.hpp"

namespace bench {
namespace {

using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

Task<> sleep_often(Executor executor, const Sleeps& sleeps, std::size_t task, Lateness& lateness) {
  Timer timer(executor);
  for (std::size_t k = 0; k < sleeps.each; ++k) {
    timer.expires_after(sleeps.length(task, k));
    co_await timer.async_wait(Await());
    lateness.add(timer.expiry(), Clock::now());
  }
}

Task<> burn_on(Executor executor, bool safe_points, const bool& over) {
  const Burn burn(kBetweenSafePoints);
  while (!over) {
    for (int i = 0; i < kChunks && !over; ++i) {
      burn();
      if (safe_points) co_await asio::post(executor, Await());
    }
    co_await asio::post(executor, Await());
  }
}

Task<> probe(Executor executor, Ticks& ticks, bool& over) {
  Timer timer(executor);
  do {
    timer.expires_at(ticks.due());
    co_await timer.async_wait(Await());
  } while (ticks.done());
  over = true;
}

/// Runs two threads of a context until the program ends.
void keep_running(asio::io_context& context) {
  static auto work = make_work_guard(context);
  for (int i = 0; i < 2; ++i) std::thread([&] { context.run(); }).detach();
}

}  // namespace

void timers(const Run& run) {
  prctl(PR_SET_TIMERSLACK, 1);
  const Sleeps sleeps(run);
  Alone context;
  Lateness lateness;
  const double before = cpu_seconds();
  for (std::size_t i = 0; i < sleeps.tasks; ++i) {
    co_spawn(context.get_executor(), sleep_often(context.get_executor(), sleeps, i, lateness),
             asio::detached);
  }
  context.run();
  sleeps.report_all(lateness, cpu_seconds() - before);
}

void hog(const Run& run) {
  prctl(PR_SET_TIMERSLACK, 1);
  Alone context;
  bool over = false;
  Ticks ticks(run);
  co_spawn(context.get_executor(),
           burn_on(context.get_executor(), run.variant != "no-safe-points", over), asio::detached);
  co_spawn(context.get_executor(), probe(context.get_executor(), ticks, over), asio::detached);
  context.run();
  ticks.report_all();
}

void idle(const Run& run) {
  asio::io_context context(2);
  keep_running(context);
  report_idle(run);
  leave();
}

void wake(const Run& run) {
  const std::size_t wakes = run.scaled(1000);
  asio::io_context context(2);
  keep_running(context);
  std::atomic<std::size_t> woken = 0;
  for (std::size_t i = 0; i < wakes; ++i) {
    sleep_for_gap();
    asio::post(context, [&] { woken.fetch_add(1); });
  }
  sleep_until_done([&] { return woken == wakes; });
  report("wakes", static_cast<double>(wakes));
  leave();
}

}  // namespace bench
