// SPDX-License-Identifier: GPL-2.0-only
// More threads than a daemon guides: registering never fails for that, and the rest is counted.
#include <morpheus/morpheus.h>
#include <morpheus/adapters/thread_pool.hpp>

#include <barrier>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/unit/sdk/attached_process.hpp"
#include "tests/unit/sdk/tiny_daemon.hpp"

using namespace morpheus::test;

TEST_CASE("threads beyond max_workers work unguided, and are counted") {
  const SocketPath path;
  const TinyDaemon daemon(path.text());
  const AttachedProcess process(path.text(), 2);
  std::barrier all_registered(5);
  std::barrier all_seen(5);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      {
        morpheus::pool_thread_adapter guided;
        all_registered.arrive_and_wait();
        guided.enter_safe_point();
        all_seen.arrive_and_wait();
      }
    });
  all_registered.arrive_and_wait();
  const morpheus_status status = AttachedProcess::status();
  all_seen.arrive_and_wait();
  threads.clear();
  CHECK(status.workers == 4);
  CHECK(status.guided == 2);
  CHECK(std::strstr(status.last_error, "max_workers, 2") != nullptr);

  // Those who come later are guided again.
  (void)start_worker();
  CHECK(AttachedProcess::status().workers == 1);
  CHECK(AttachedProcess::status().guided == 1);
}

TEST_CASE("a crowd without a daemon registers as well") {
  const SocketPath path;
  const AttachedProcess process(path.text(), 1);
  std::barrier all_registered(300);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 300; ++i)
    threads.emplace_back([&] {
      const morpheus::pool_thread_adapter guided;
      all_registered.arrive_and_wait();
    });
  threads.clear();
  CHECK(AttachedProcess::status().workers == 0);
}
