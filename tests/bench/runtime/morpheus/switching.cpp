// SPDX-License-Identifier: GPL-2.0-only
// Morpheus: switching between tasks.
#include <morpheus/channel.hpp>
#include <morpheus/yield.hpp>

#include "../gap.hpp"
#include "../measures.hpp"
#include "../pinned_threads.hpp"
#include "runtimes.hpp"

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

using Channel = morpheus::channel<std::size_t>;

task<> serve(Channel& in, Channel& out, std::size_t messages) {
  while (messages-- > 0) {
    const auto value = co_await in.receive();
    (void)co_await out.send(*value + 1);
  }
}

task<> ask(Channel& in, Channel& out, std::size_t messages) {
  for (std::size_t value = 0; messages-- > 0;) {
    (void)co_await out.send(value);
    value = *co_await in.receive();
  }
}

task<double> exchange(std::size_t n) {
  Channel to(1), back(1);
  morpheus::scope both;
  const auto start = Clock::now();
  both.spawn(serve(to, back, n / 2));
  both.spawn(ask(back, to, n / 2));
  co_await both.join();
  co_return seconds_since(start);
}

double on_one_thread(const Run& run) {
  morpheus::runtime runtime(threads(1));
  return nanoseconds_each(run, 1000, [&](std::size_t n) { return runtime.run(exchange(n)); });
}

/// Two runtimes of one thread each, so that the tasks cannot come together on one thread.
double on_two_threads(const Run& run) {
  morpheus::runtime here(thread_on(0)), there(thread_on(1));
  return nanoseconds_each(run, 1000, [&](std::size_t n) {
    Channel to(1), back(1);
    const auto start = Clock::now();
    there.spawn(serve(to, back, n / 2)).detach();
    here.run(ask(back, to, n / 2));
    return seconds_since(start);
  });
}

task<> receive(Channel& in, const Sent& sent, Lateness& lateness) {
  for (std::size_t left = sent.size(); left > 0; --left) {
    const auto number = co_await in.receive();
    lateness.add(sent[*number], Clock::now());
  }
}

double to_a_sleeper(const Run& run) {
  Sent sent(run.scaled(2000));
  Lateness lateness;
  Channel channel(sent.size());
  {
    morpheus::runtime receiver(thread_on(1));
    receiver.spawn(receive(channel, sent, lateness)).detach();
    pin(0);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      spin_for_gap();
      sent[i] = Clock::now();
      if (!channel.try_send(std::size_t{i})) std::abort();
    }
  }
  return lateness.percentile(0.5) * 1000;
}

}  // namespace

void yield(const Run& run) {
  const std::size_t tasks = number(run.variant);
  morpheus::runtime runtime(threads(1));
  report("yield", nanoseconds_each(run, 10'000, [&](std::size_t n) {
           return runtime.run(take_turns_together(tasks, n / tasks));
         }));
}

void ping_pong(const Run& run) {
  report("message", run.variant == "one-thread"    ? on_one_thread(run)
                    : run.variant == "two-threads" ? on_two_threads(run)
                                                   : to_a_sleeper(run));
}

}  // namespace bench
