// SPDX-License-Identifier: GPL-2.0-only
// Floor: switching between tasks of one thread.
#include "coroutine.hpp"
#include "threads.hpp"

namespace bench {
namespace {

using least::Job;
using least::Ready;

Job take_turns(Ready& ready, std::size_t turns) {
  while (turns-- > 0) co_await ready.turn();
}

/// Where two coroutines pass a number to and fro: the one that sends lets the other one run at
/// once.
struct Table {
  std::uint64_t value = 0;
  std::coroutine_handle<> waiting;

  struct Pass {
    Table& table;
    static bool await_ready() { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> sender) {
      return std::exchange(table.waiting, sender);
    }
    static void await_resume() {}
  };
};

Job pass(Table& table, std::size_t messages) {
  while (messages-- > 0) {
    ++table.value;
    co_await Table::Pass{table};
  }
}

double ping_pong_on_one_thread(const Run& run) {
  return nanoseconds_each(run, 1000, [](std::size_t n) {
    Table table;
    table.waiting = pass(table, n / 2).handle;
    const Job ping = pass(table, n / 2);
    const auto start = Clock::now();
    ping.handle.resume();
    const double seconds = seconds_since(start);
    table.waiting.destroy();
    return seconds;
  });
}

}  // namespace

void yield(const Run& run) {
  const auto tasks = static_cast<std::size_t>(std::stoul(std::string(run.variant)));
  report("yield", nanoseconds_each(run, 10'000, [&](std::size_t n) {
           Ready ready(tasks);
           for (std::size_t i = 0; i < tasks; ++i) ready.push(take_turns(ready, n / tasks).handle);
           const auto start = Clock::now();
           ready.run();
           return seconds_since(start);
         }));
}

void ping_pong(const Run& run) {
  report("message", run.variant == "one-thread"    ? ping_pong_on_one_thread(run)
                    : run.variant == "two-threads" ? least::ping_pong_spinning(run)
                                                   : least::message_to_a_sleeper(run));
}

}  // namespace bench
