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

TEST_CASE("a thread that the program has registered itself stays a worker after the arena") {
  const SocketPath path;
  const AttachedProcess process(path.text());
  (void)start_worker();
  tbb::task_arena arena(2);
  {
    const morpheus::tbb_adapter guided(arena);
    arena.execute([] { tbb::parallel_for(0, 100, [](int) {}); });
    CHECK(morpheus_worker_self() != nullptr);
  }
  CHECK(morpheus_worker_set_state(MORPHEUS_WORKER_QUIESCING) == MORPHEUS_OK);
}

TEST_CASE("adapters may nest, and meet on one arena") {
  const SocketPath path;
  const AttachedProcess process(path.text());
  const auto is_worker = [] { return morpheus_worker_self() != nullptr; };
  tbb::task_arena outer(2);
  tbb::task_arena inner(2);
  const morpheus::tbb_adapter of_outer(outer);
  const morpheus::tbb_adapter of_inner(inner);
  const morpheus::tbb_adapter again(outer);
  outer.execute([&] {
    CHECK(is_worker());
    inner.execute([&] { CHECK(is_worker()); });
    CHECK(is_worker());
  });
  CHECK_FALSE(is_worker());
}

TEST_CASE("without an arena the adapter is that of the thread's own, and lets go of the thread") {
  const SocketPath path;
  {
    const AttachedProcess process(path.text());
    {
      const morpheus::tbb_adapter guided;
      tbb::parallel_for(0, 1000, [](int) {});
      CHECK(morpheus_worker_self() != nullptr);
    }
    CHECK(morpheus_worker_self() == nullptr);
    CHECK(morpheus_detach() == MORPHEUS_OK);  // no thread is left behind
  }
  const AttachedProcess again(path.text());
}
