// SPDX-License-Identifier: GPL-2.0-only
// Fiber: switching between fibers.
#include "../gap.hpp"
#include "../measures.hpp"
#include "fibers.hpp"

namespace bench {
namespace {

using Channel = fibers::buffered_channel<std::size_t>;

void serve(Channel& in, Channel& out, std::size_t messages) {
  for (std::size_t value = 0; messages-- > 0;) {
    in.pop(value);
    out.push(value + 1);
  }
}

void ask(Channel& in, Channel& out, std::size_t messages) {
  for (std::size_t value = 0; messages-- > 0;) {
    out.push(value);
    in.pop(value);
  }
}

double on_one_thread(std::size_t n) {
  Channel to(2), back(2);
  fibers::fiber server = start([&] { serve(to, back, n / 2); });
  const auto began = Clock::now();
  ask(back, to, n / 2);
  server.join();
  return seconds_since(began);
}

double on_two_threads(std::size_t n) {
  Channel to(2), back(2);
  std::jthread server([&] {
    pin(1);
    serve(to, back, n / 2);
  });
  pin(0);
  const auto began = Clock::now();
  ask(back, to, n / 2);
  server.join();
  return seconds_since(began);
}

double to_a_sleeper(const Run& run) {
  Sent sent(run.scaled(1024));
  fibers::buffered_channel<std::size_t> channel(4096);
  Lateness lateness;
  std::jthread receiver([&] {
    pin(1);
    for (std::size_t left = sent.size(), number = 0; left > 0; --left) {
      channel.pop(number);
      lateness.add(sent[number], Clock::now());
    }
  });
  pin(0);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    spin_for_gap();
    sent[i] = Clock::now();
    channel.push(i);
  }
  receiver.join();
  return lateness.percentile(0.5) * 1000;
}

}  // namespace

void yield(const Run& run) {
  const std::size_t tasks = number(run.variant);
  report("yield", nanoseconds_each(run, 10'000, [&](std::size_t n) {
           std::vector<fibers::fiber> all;
           for (std::size_t i = 0; i < tasks; ++i) {
             all.push_back(start([turns = n / tasks]() mutable {
               while (turns-- > 0) boost::this_fiber::yield();
             }));
           }
           const auto began = Clock::now();
           for (auto& fiber : all) fiber.join();
           return seconds_since(began);
         }));
}

void ping_pong(const Run& run) {
  report("message", run.variant == "one-thread"    ? nanoseconds_each(run, 1000, on_one_thread)
                    : run.variant == "two-threads" ? nanoseconds_each(run, 1000, on_two_threads)
                                                   : to_a_sleeper(run));
}

}  // namespace bench
