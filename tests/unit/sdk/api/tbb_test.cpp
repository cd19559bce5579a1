// SPDX-License-Identifier: GPL-2.0-only
// oneTBB, adapted.
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <morpheus/adapters/tbb.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/sdk/attached_process.hpp"
#include "tests/unit/sdk/tiny_daemon.hpp"

using namespace morpheus::test;

TEST_CASE("threads of a oneTBB arena are workers that acknowledge hints") {
  const SocketPath path;
  TinyDaemon daemon(path.text());
  const AttachedProcess process(path.text());
  std::atomic<int> ran{0};
  std::uint64_t seq = 0;
  const auto work = [&] {
    tbb::parallel_for(0, 1000, morpheus::tbb_adapter::body([&](int) { ++ran; }));
  };
  {
    tbb::task_arena alone(1);
    morpheus::tbb_adapter guided(alone);
    alone.execute(work);
    REQUIRE(daemon.registrations() == 1);
    CHECK(daemon.runtime_line(0).escapable == 0);  // this thread has left the arena
  }
  {
    tbb::task_arena arena(2);
    morpheus::tbb_adapter guided(arena);
    CHECK(eventually([&] {
      arena.execute([&] {
        // within the arena this thread is a worker again, the newest or one before
        for (std::size_t i = 0; i < daemon.registrations(); ++i) seq = daemon.hint(i);
        work();
      });
      for (std::size_t i = 0; i < daemon.registrations(); ++i)
        if (daemon.acknowledged(i) == seq && seq != 0) return true;
      return false;
    }));
  }
  CHECK(ran >= 2000);
  CHECK(eventually([] { return AttachedProcess::status().workers <= 1; }));
}
