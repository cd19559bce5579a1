// SPDX-License-Identifier: GPL-2.0-only
// Asio: switching between tasks.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>

#include "../gap.hpp"
#include "../measures.hpp"
#include "../pinned_threads.hpp"
#include "context.hpp"

namespace bench {
namespace {

using Failure = boost::system::error_code;
using Channel = asio::experimental::channel<Executor, void(Failure, std::size_t)>;
using SharedChannel = asio::experimental::concurrent_channel<Executor, void(Failure, std::size_t)>;

Task<> take_turns(Executor executor, std::size_t turns) {
  while (turns-- > 0) co_await asio::post(executor, Await());
}

template <class Channel>
Task<> serve(Channel& in, Channel& out, std::size_t messages) {
  while (messages-- > 0) {
    const std::size_t value = co_await in.async_receive(Await());
    co_await out.async_send(Failure(), value + 1, Await());
  }
}

template <class Channel>
Task<> ask(Channel& in, Channel& out, std::size_t messages) {
  for (std::size_t value = 0; messages-- > 0;) {
    co_await out.async_send(Failure(), value, Await());
    value = co_await in.async_receive(Await());
  }
}

double on_one_thread(std::size_t n) {
  Alone context;
  Channel to(context.get_executor(), 1), back(context.get_executor(), 1);
  co_spawn(context.get_executor(), serve(to, back, n / 2), asio::detached);
  co_spawn(context.get_executor(), ask(back, to, n / 2), asio::detached);
  const auto start = Clock::now();
  context.run();
  return seconds_since(start);
}

double on_two_threads(std::size_t n) {
  asio::io_context here(1), there(1);
  SharedChannel to(there.get_executor(), 1), back(here.get_executor(), 1);
  co_spawn(there.get_executor(), serve(to, back, n / 2), asio::detached);
  co_spawn(here.get_executor(), ask(back, to, n / 2), asio::detached);
  std::jthread other([&] {
    pin(1);
    there.run();
  });
  pin(0);
  const auto start = Clock::now();
  here.run();
  return seconds_since(start);
}

Task<> receive(SharedChannel& in, const Sent& sent, Lateness& lateness) {
  for (std::size_t left = sent.size(); left > 0; --left) {
    const std::size_t number = co_await in.async_receive(Await());
    lateness.add(sent[number], Clock::now());
  }
}

double to_a_sleeper(const Run& run) {
  Sent sent(run.scaled(2000));
  asio::io_context there(1);
  SharedChannel channel(there.get_executor(), sent.size());
  Lateness lateness;
  co_spawn(there.get_executor(), receive(channel, sent, lateness), asio::detached);
  std::jthread receiver([&] {
    pin(1);
    there.run();
  });
  pin(0);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    spin_for_gap();
    sent[i] = Clock::now();
    channel.try_send(Failure(), i);
  }
  receiver.join();
  return lateness.percentile(0.5) * 1000;
}

}  // namespace

void yield(const Run& run) {
  const std::size_t tasks = number(run.variant);
  report("yield", nanoseconds_each(run, 10'000, [&](std::size_t n) {
           Alone context;
           for (std::size_t i = 0; i < tasks; ++i) {
             co_spawn(context.get_executor(), take_turns(context.get_executor(), n / tasks),
                      asio::detached);
           }
           const auto start = Clock::now();
           context.run();
           return seconds_since(start);
         }));
}

void ping_pong(const Run& run) {
  report("message", run.variant == "one-thread"    ? nanoseconds_each(run, 1000, on_one_thread)
                    : run.variant == "two-threads" ? nanoseconds_each(run, 1000, on_two_threads)
                                                   : to_a_sleeper(run));
}

}  // namespace bench
