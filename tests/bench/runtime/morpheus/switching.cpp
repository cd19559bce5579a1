// SPDX-License-Identifier: GPL-2.0-only
// Morpheus: switching between tasks.
#include <morpheus/yield.hpp>

#include "../measures.hpp"
#include "workers.hpp"

namespace bench {
namespace {

using morpheus::task;

task<> take_turns(std::size_t turns) {
  while (turns-- > 0) co_await morpheus::yield();
}

task<double> take_turns_together(std::size_t tasks, std::size_t each) {
  morpheus::scope everyone;
  for (std::size_t i = 0; i < tasks; ++i) everyone.spawn(take_turns(each));
  const auto start = Clock::now();
  co_await everyone.join();
  co_return seconds_since(start);
}

}  // namespace

void yield(const Run& run) {
  const std::size_t tasks = number(run.variant);
  morpheus::scheduler scheduler(workers(1));
  report("yield", nanoseconds_each(run, 10'000, [&](std::size_t n) {
           return scheduler.run(take_turns_together(tasks, n / tasks));
         }));
}

}  // namespace bench
