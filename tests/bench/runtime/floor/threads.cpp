// SPDX-License-Identifier: GPL-2.0-only
// Floor: threads that wait in a futex, and threads that spin.
#include "threads.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "../burn.hpp"
#include "../gap.hpp"
#include "../measures.hpp"
#include "../pinned_threads.hpp"

namespace bench {
namespace {

/// A count that one thread raises and another one waits for.
class Signal {
 public:
  void raise() {
    count_.fetch_add(1, std::memory_order_release);
    syscall(SYS_futex, &count_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  void wait_beyond(std::uint32_t seen) {
    for (;;) {
      const std::uint32_t now = count_.load(std::memory_order_acquire);
      if (now > seen) return;
      syscall(SYS_futex, &count_, FUTEX_WAIT_PRIVATE, now, nullptr, nullptr, 0);
    }
  }

 private:
  std::atomic<std::uint32_t> count_ = 0;
};

}  // namespace

namespace least {

double ping_pong_spinning(const Run& run) {
  return nanoseconds_each(run, 1000, [](std::size_t n) {
    std::atomic<std::size_t> turn = 0;
    const auto play = [&](std::size_t mine) {
      pin(mine);
      for (std::size_t i = mine; i < n; i += 2) {
        while (turn.load(std::memory_order_acquire) != i) {
        }
        turn.store(i + 1, std::memory_order_release);
      }
    };
    const auto start = Clock::now();
    std::jthread other(play, 1);
    play(0);
    other.join();
    return seconds_since(start);
  });
}

double message_to_a_sleeper(const Run& run) {
  Sent sent(run.scaled(2000));
  Signal signal;
  Lateness lateness;
  std::jthread receiver([&] {
    pin(1);
    for (std::uint32_t i = 0; i < sent.size(); ++i) {
      signal.wait_beyond(i);
      lateness.add(sent[i], Clock::now());
    }
  });
  pin(0);
  for (auto& at : sent) {
    spin_for_gap();
    at = Clock::now();
    signal.raise();
  }
  receiver.join();
  return lateness.percentile(0.5) * 1000;
}

}  // namespace least

void idle(const Run& run) {
  Signal never;
  const auto wait = [&] { never.wait_beyond(0); };
  std::jthread first(wait), second(wait);
  report_idle(run);
  leave();
}

void wake(const Run& run) {
  const auto wakes = static_cast<std::uint32_t>(run.scaled(1000));
  Signal signal;
  std::jthread sleeper([&] {
    for (std::uint32_t i = 0; i < wakes; ++i) signal.wait_beyond(i);
  });
  for (std::uint32_t i = 0; i < wakes; ++i) {
    sleep_for_gap();
    signal.raise();
  }
  sleeper.join();
  report("wakes", wakes);
}

void scaling(const Run& run) {
  const auto threads = static_cast<std::size_t>(std::stoul(std::string(run.variant)));
  const std::size_t tasks = run.scaled(20'000);
  std::atomic<std::size_t> next = 0;
  const Burn burn{std::chrono::microseconds(10)};
  const auto start = Clock::now();
  {
    std::vector<std::jthread> workers;
    for (std::size_t i = 0; i < threads; ++i) {
      workers.emplace_back([&, i] {
        pin(i);
        while (next.fetch_add(1, std::memory_order_relaxed) < tasks) burn();
      });
    }
  }
  report("task", seconds_since(start) / static_cast<double>(tasks) * 1e9);
}

}  // namespace bench
