// SPDX-License-Identifier: GPL-2.0-only
// Random programs in a random order. A failure names its seed; MORPHEUS_STRESS_SEED=N plays that
// one again, and MORPHEUS_STRESS_SECONDS=N goes on for longer.
#include <morpheus/blocking.hpp>
#include <morpheus/channel.hpp>
#include <morpheus/diagnosis.hpp>
#include <morpheus/event.hpp>
#include <morpheus/mutex.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/semaphore.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/when_all.hpp>
#include <morpheus/yield.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>

using namespace morpheus;
using namespace std::chrono_literals;

namespace {

struct World {
  mutex lock;
  long under_lock = 0;
  std::atomic<long> locked{0};
  semaphore permits{3};
  std::atomic<int> within{0};
  std::atomic<int> most_within{0};
  channel<int> numbers{2};
  std::atomic<long> sent{0};
  std::atomic<long> received{0};
  std::atomic<long> begun{0};
  std::atomic<long> ended{0};
  std::atomic<long> joined{0};
  std::atomic<long> expected{0};
  std::stop_source stop;
};

using Random = std::minstd_rand;

task<> act(World& world, Random random, int depth);

task<int> give(World& world, Random random, int depth) {
  co_await act(world, random, depth);
  if (random() % 16 == 0) throw std::runtime_error("by chance");
  co_return 1;
}

task<> use_lock(World& world, bool waits) {
  auto guard = co_await world.lock.lock();
  const long seen = world.under_lock;
  if (waits) co_await yield();
  world.under_lock = seen + 1;
  ++world.locked;
}

task<> use_permit(World& world) {
  try {
    co_await world.permits.acquire(world.stop.get_token());
  } catch (const cancelled&) {
    co_return;
  }
  struct at_end {
    World& world;
    ~at_end() {
      --world.within;
      world.permits.release();
    }
  } const guard{world};
  const int now = ++world.within;
  for (int most = world.most_within;
       now > most && !world.most_within.compare_exchange_weak(most, now);) {
  }
  co_await yield();
}

task<> fork(World& world, Random random, int depth) {
  try {
    auto [a, b] = co_await when_all(give(world, Random(random()), depth + 1),
                                    give(world, Random(random()), depth + 1));
    // not with CHECK, which is for one thread at a time
    world.joined += a + b;
    world.expected += 2;
  } catch (const std::runtime_error&) {
  } catch (const failures&) {
  }
}

task<> nest(World& world, Random random, int depth) {
  scope scope;
  for (unsigned i = random() % 4; i > 0; --i) scope.spawn(act(world, Random(random()), depth + 1));
  // An exception of a task that outlives this one's stop would be heard by no code.
  auto handle = spawn([](task<int> gives) -> task<> {
    try {
      (void)co_await std::move(gives);
    } catch (const std::runtime_error&) {
    }
  }(give(world, Random(random()), depth + 1)));
  co_await scope.join();
  co_await handle;
}

task<> pass_event() {
  event ready;
  co_await with_scope([&ready](scope& scope) -> task<> {
    scope.spawn([](event& ready) -> task<> {
      co_await yield();
      ready.set();
    }(ready));
    co_await ready;
  });
}

task<> nap(World& world, unsigned us) {
  try {
    co_await sleep_for(std::chrono::microseconds(us), world.stop.get_token());
  } catch (const cancelled&) {
  }
}

task<> send(World& world) {
  const bool was_sent = co_await world.numbers.send(1);  // not within if (): GCC 12
  if (was_sent) ++world.sent;
}

task<> act(World& world, Random random, int depth) {
  ++world.begun;
  struct at_end {
    World& world;
    ~at_end() { ++world.ended; }
  } const guard{world};
  for (unsigned steps = 1 + random() % 6; steps > 0; --steps) {
    switch (depth > 4 ? random() % 5 : random() % 9) {
      case 0:
        co_await yield();
        break;
      case 1:
        co_await use_lock(world, random() % 2 == 0);
        break;
      case 2:
        co_await use_permit(world);
        break;
      case 3:
        co_await nap(world, static_cast<unsigned>(random() % 300));
        break;
      case 4:
        co_await send(world);
        break;
      case 5:
        co_await fork(world, Random(random()), depth);
        break;
      case 6:
        co_await nest(world, Random(random()), depth);
        break;
      case 7:
        co_await pass_event();
        break;
      default:
        co_await blocking([] {});
        break;
    }
  }
}

task<> drain(World& world) {
  while (auto number = co_await world.numbers.receive()) world.received += *number;
}

task<> play(World& world, std::uint64_t seed) {
  Random random(static_cast<Random::result_type>(seed));
  scope receivers;
  receivers.spawn(drain(world));
  receivers.spawn(drain(world));
  scope actors;
  for (int i = 0; i < 12; ++i) actors.spawn(act(world, Random(random()), 0));
  if (random() % 3 == 0) {
    co_await sleep_for(std::chrono::microseconds(random() % 2000));
    world.stop.request_stop();
  }
  co_await actors.join();
  world.numbers.close();
  co_await receivers.join();
}

/// Ends the program, and prints what the tasks wait for, if a play goes on for too long.
class Patience {
 public:
  explicit Patience(std::uint64_t seed) {
    watcher_ = std::jthread([seed](std::stop_token stop) {
      std::mutex lock;
      std::condition_variable_any changed;
      std::unique_lock guard(lock);
      if (changed.wait_for(guard, stop, 60s, [&] { return stop.stop_requested(); })) return;
      if (stop.stop_requested()) return;
      std::cerr << "hangs: MORPHEUS_STRESS_SEED=" << seed << "\n";
      dump_tasks(std::cerr);
      std::abort();
    });
  }

 private:
  std::jthread watcher_;
};

void play(std::uint64_t seed) {
  const Patience patience(seed);
  INFO("MORPHEUS_STRESS_SEED=" << seed);
  World world;
  {
    runtime runtime({.threads = static_cast<unsigned>(1 + seed % 4),
                     .guided = false,
                     .relief_threads = static_cast<unsigned>(seed / 4 % 2),
                     .shuffle_seed = seed % 3 == 0 ? 0 : seed});
    runtime.run(play(world, seed));
  }
  CHECK(world.begun == world.ended);
  CHECK(world.joined == world.expected);
  CHECK(world.under_lock == world.locked);
  CHECK(world.sent == world.received);
  CHECK(world.within == 0);
  CHECK(world.most_within <= 3);
}

}  // namespace

TEST_CASE("random programs in random orders lose nothing") {
  if (const char* const seed = std::getenv("MORPHEUS_STRESS_SEED")) return play(std::stoull(seed));
  const char* const seconds = std::getenv("MORPHEUS_STRESS_SECONDS");
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::seconds(seconds != nullptr ? std::stoi(seconds) : 3);
  std::uint64_t seed = std::random_device()();
  std::cerr << "first seed: " << seed << "\n";
  for (; std::chrono::steady_clock::now() < end; ++seed) play(seed);
}

TEST_CASE("with one thread the same seed gives the same order") {
  const auto order_of = [](std::uint64_t seed) {
    runtime runtime({.threads = 1, .guided = false, .shuffle_seed = seed});
    return runtime.run([]() -> task<std::string> {
      std::string order;
      scope scope;
      for (char name = 'a'; name < 'k'; ++name) {
        scope.spawn([](std::string& order, char name) -> task<> {
          for (int i = 0; i < 3; ++i) {
            order += name;
            co_await yield();
          }
        }(order, name));
      }
      co_await scope.join();
      co_return order;
    }());
  };
  for (int i = 0; i < 20; ++i) CHECK(order_of(7) == order_of(7));
  CHECK(order_of(7) != order_of(8));
}
