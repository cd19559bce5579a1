// SPDX-License-Identifier: GPL-2.0-only
// Awaits take no stack, however many and however deep. Built with flags of each kind that decides
// whether the compiler makes tail calls.
#include <morpheus/channel.hpp>
#include <morpheus/event.hpp>
#include <morpheus/mutex.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/semaphore.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>

#include <chrono>
#include <cstdio>
#include <stop_token>

namespace {

using morpheus::task;

constexpr long kOften = 200'000;

task<long> leaf() { co_return 1; }
task<long> many_awaits() {
  long count = 0;
  for (long i = 0; i < kOften; ++i) count += co_await leaf();
  co_return count;
}
task<long> deep_awaits(long depth) {
  if (depth == 0) co_return 0;
  const long below = co_await deep_awaits(depth - 1);
  co_return below + 1;
}
/// Waits that need not wait, and heed a stop_token.
task<long> ready_waits() {
  std::stop_source never;
  const std::stop_token stop = never.get_token();
  morpheus::semaphore permits(1);
  morpheus::mutex lock;
  morpheus::event ready(true);
  morpheus::channel<int> values(1);
  long count = 0;
  for (long i = 0; i < kOften; ++i) {
    co_await permits.acquire(stop);
    permits.release();
    {
      const auto guard = co_await lock.lock(stop);
    }
    co_await ready.wait(stop);
    const bool sent = co_await values.send(1, stop);
    const auto value = co_await values.receive(stop);
    count += sent ? *value : 0;
  }
  co_return count;
}
/// Each is the only one that is ready.
task<long> lone_yields() {
  for (long i = 0; i < kOften; ++i) co_await morpheus::yield();
  co_return kOften;
}
task<long> ended_handles() {
  long count = 0;
  for (long i = 0; i < kOften; ++i) {
    auto handle = morpheus::spawn(leaf());
    co_await morpheus::yield();
    count += co_await handle;
  }
  co_return count;
}

}  // namespace

int main() {
  morpheus::runtime runtime({.threads = 1, .guided = false});
  int wrong = 0;
  const auto check = [&](const char* what, task<long> work) {
    if (const long got = runtime.run(std::move(work)); got != kOften) {
      std::printf("%s: %ld instead of %ld\n", what, got, kOften);
      ++wrong;
    }
  };
  check("many awaits", many_awaits());
  check("deep awaits", deep_awaits(kOften));
  check("ready waits", ready_waits());
  check("lone yields", lone_yields());
  check("ended handles", ended_handles());
  return wrong;
}
