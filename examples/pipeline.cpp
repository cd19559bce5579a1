// SPDX-License-Identifier: GPL-2.0-only
// A pipeline with back-pressure: a source, several workers and a sink, with channels of a few
// places between them. A stage that is faster than the next one waits in send(), so that no more
// than a handful of items exist at any time, however many there are:
//
//     pipeline [ITEMS [THREADS]]
#include <morpheus/blocking.hpp>
#include <morpheus/channel.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

using morpheus::channel;
using morpheus::task;

namespace {

constexpr std::size_t kPlaces = 8;  // in each channel
constexpr int kWorkers = 4;
constexpr int kMostAtOnce = 2 * static_cast<int>(kPlaces) + kWorkers + 2;  // the ends hold one each

/// Something to work on; counts how many there are.
class Item {
 public:
  explicit Item(long which) : number(which) {
    const int now = ++alive;
    for (int most = most_alive; now > most && !most_alive.compare_exchange_weak(most, now);) {
    }
  }
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;
  ~Item() { --alive; }

  long number;
  static inline std::atomic<int> alive{0};
  static inline std::atomic<int> most_alive{0};
};
using ItemPtr = std::unique_ptr<Item>;

task<> produce(channel<ItemPtr>& out, long items) {
  for (long i = 1; i <= items; ++i) {
    const bool is_taken = co_await out.send(std::make_unique<Item>(i));
    if (!is_taken) co_return;
  }
  out.close();
}

/// Takes its time now and then, on a thread that may block.
task<> work(channel<ItemPtr>& in, channel<ItemPtr>& out) {
  while (auto item = co_await in.receive()) {
    Item& mine = **item;
    mine.number *= mine.number;
    if (mine.number % 64 == 0)
      co_await morpheus::blocking(
          [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
    const bool is_taken = co_await out.send(std::move(*item));
    if (!is_taken) co_return;
  }
}

task<> work_together(channel<ItemPtr>& in, channel<ItemPtr>& out) {
  morpheus::scope workers;
  for (int i = 0; i < kWorkers; ++i) workers.spawn(work(in, out));
  co_await workers.join();
  out.close();
}

task<long> run(long items) {
  channel<ItemPtr> numbers(kPlaces);
  channel<ItemPtr> squares(kPlaces);
  co_return co_await morpheus::with_scope([&](morpheus::scope& stages) -> task<long> {
    stages.spawn(produce(numbers, items));
    stages.spawn(work_together(numbers, squares));
    long sum = 0;
    while (auto item = co_await squares.receive()) sum += (*item)->number;
    co_return sum;
  });
}

}  // namespace

int main(int argc, char** argv) {
  const long items = argc > 1 ? std::atol(argv[1]) : 10'000;
  const auto threads = static_cast<unsigned>(argc > 2 ? std::atoi(argv[2]) : 0);
  try {
    morpheus::runtime runtime({.threads = threads, .name = "pipeline"});
    const long sum = runtime.run(run(items));
    std::printf("the squares of 1 to %ld: %ld\nat most %d items at once, of %d allowed\n", items,
                sum, Item::most_alive.load(), kMostAtOnce);
    return Item::most_alive <= kMostAtOnce ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pipeline: %s\n", error.what());
    return 1;
  }
}
