// SPDX-License-Identifier: GPL-2.0-only
// Daemons that come late, die and come back, and what a forked child may do.
#include <morpheus/morpheus.h>
#include <sys/wait.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "tests/unit/sdk/attached_process.hpp"
#include "tests/unit/sdk/tiny_daemon.hpp"

using namespace morpheus::test;

namespace {

bool is_guided(std::uint32_t workers = 1) {
  return eventually([&] { return AttachedProcess::status().guided == workers; });
}

bool is_waiting() {
  return eventually([] { return AttachedProcess::status().link == MORPHEUS_LINK_WAITING; });
}

/// Takes safe points until the worker has acknowledged `seq`.
bool acknowledges(TinyDaemon& daemon, std::size_t nth, std::uint64_t seq,
                  struct morpheus_safepoint& sp) {
  return eventually([&] {
    (void)morpheus_checkpoint(&sp);
    return daemon.acknowledged(nth) == seq;
  });
}

}  // namespace

TEST_CASE("a daemon that comes later finds the workers that wait for it") {
  const SocketPath path;
  const AttachedProcess process(path.text());
  start_worker();
  struct morpheus_safepoint sp = morpheus_safepoint_get();
  TinyDaemon daemon(path.text());
  REQUIRE(is_guided());
  CHECK(daemon.state() == "RUNNING");
  CHECK(acknowledges(daemon, 0, daemon.hint(), sp));
}

TEST_CASE("a daemon's death and return need no restart of the application") {
  const SocketPath path;
  auto daemon = std::make_unique<TinyDaemon>(path.text());
  const AttachedProcess process(path.text());
  start_worker();
  REQUIRE(morpheus_set_escapable(true) == MORPHEUS_OK);
  REQUIRE(morpheus_set_priority(321) == MORPHEUS_OK);
  struct morpheus_safepoint sp = morpheus_safepoint_get();
  const std::uint64_t first = daemon->hint();
  CHECK(morpheus_checkpoint(&sp));

  for (int round = 0; round < 3; ++round) {
    daemon.reset();
    REQUIRE(is_waiting());
    for (int i = 0; i < 100; ++i) REQUIRE_FALSE(morpheus_checkpoint(&sp));
    daemon = std::make_unique<TinyDaemon>(path.text());
    REQUIRE(is_guided());
    // No checkpoint yet: no consent may show before the owner has moved to the new daemon.
    CHECK(daemon->runtime_line().escapable == 0);
    CHECK(daemon->kernel_line().preempt_seq > first);
    CHECK_FALSE(morpheus_checkpoint(&sp));
    CHECK(daemon->runtime_line().escapable == 1);
    CHECK(daemon->runtime_line().runtime_priority == 321);
    CHECK(acknowledges(*daemon, 0, daemon->hint(), sp));
  }
  CHECK(stats().hints == 4);
  CHECK(AttachedProcess::status().attaches == 4);
}

TEST_CASE("a worker in a critical section moves to the new daemon when it has left it") {
  const SocketPath path;
  auto daemon = std::make_unique<TinyDaemon>(path.text());
  const AttachedProcess process(path.text());
  morpheus_thread* self = start_worker();
  struct morpheus_safepoint sp = morpheus_safepoint_get();
  morpheus_critical_enter(self);
  daemon.reset();
  REQUIRE(is_waiting());
  daemon = std::make_unique<TinyDaemon>(path.text());
  REQUIRE(is_guided());
  CHECK_FALSE(morpheus_checkpoint(&sp));
  CHECK(*self->critical == 1);
  CHECK(daemon->runtime_line().is_in_critical_section == 0);
  morpheus_critical_exit(self);
  CHECK(*self->critical == 0);
  CHECK(acknowledges(*daemon, 0, daemon->hint(), sp));
  morpheus_critical_enter(self);
  CHECK(daemon->runtime_line().is_in_critical_section == 1);
  morpheus_critical_exit(self);
}

TEST_CASE("workers stay apart when the next daemon numbers them differently") {
  const SocketPath path;
  auto daemon = std::make_unique<TinyDaemon>(path.text());
  const AttachedProcess process(path.text());
  constexpr std::size_t kWorkers = 4;
  std::atomic<bool> stop = false;
  std::atomic<std::size_t> ready = 0;
  std::vector<std::thread> threads;
  std::vector<std::uint64_t> hints(kWorkers);
  for (std::size_t i = 0; i < kWorkers; ++i) {
    threads.emplace_back([&, i] {
      while (ready != i) std::this_thread::yield();
      start_worker();
      struct morpheus_safepoint sp = morpheus_safepoint_get();
      ++ready;
      while (!stop) (void)morpheus_checkpoint(&sp);
      hints[i] = stats().hints;
      while (ready != 2 * kWorkers - i) std::this_thread::yield();
    });
  }
  REQUIRE(eventually([&] { return ready == kWorkers; }));
  daemon.reset();
  REQUIRE(is_waiting());
  daemon =
      std::make_unique<TinyDaemon>(path.text(), TinyDaemon::Options{.highest_slot_first = true});
  REQUIRE(is_guided(kWorkers));
  for (std::size_t round = 0; round < 20; ++round) {
    for (std::size_t nth = 0; nth <= round % kWorkers; ++nth) {
      const std::uint64_t seq = daemon->hint(nth);
      CHECK(eventually([&] { return daemon->acknowledged(nth) == seq; }));
    }
  }
  stop = true;
  for (std::size_t i = kWorkers; i-- > 0;) {
    ready = 2 * kWorkers - i;
    threads[i].join();
  }
  CHECK(hints == std::vector<std::uint64_t>{20, 15, 10, 5});
}

TEST_CASE("daemons that come and go under running workers harm none of them") {
  const SocketPath path;
  const AttachedProcess process(path.text());
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        morpheus_thread* self = start_worker();
        struct morpheus_safepoint sp = morpheus_safepoint_get();
        for (int k = 0; k < 20'000 && !stop; ++k) {
          morpheus_critical_enter(self);
          morpheus_critical_exit(self);
          (void)morpheus_checkpoint(&sp);
        }
        (void)morpheus_worker_unregister();
      }
    });
  }
  for (int round = 0; round < 20; ++round) {
    TinyDaemon daemon(path.text());
    CHECK(eventually([] { return AttachedProcess::status().link == MORPHEUS_LINK_ATTACHED; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  CHECK(AttachedProcess::status().workers == 0);
}

TEST_CASE("losing the daemon under pressure makes workers defensive") {
  const SocketPath path;
  auto daemon = std::make_unique<TinyDaemon>(path.text());
  const AttachedProcess process(path.text());
  start_worker();
  struct morpheus_safepoint sp = morpheus_safepoint_get();
  daemon->global().cpu_pressure_pct = 80;
  daemon.reset();
  REQUIRE(is_waiting());
  CHECK(eventually([&] { return morpheus_checkpoint(&sp); }));
  CHECK(morpheus_get_mode() == MORPHEUS_DEFENSIVE);
  CHECK(stats().eager_yields >= 1);
  daemon = std::make_unique<TinyDaemon>(path.text());
  REQUIRE(is_guided());
  CHECK(morpheus_get_mode() == MORPHEUS_DETERMINISTIC);
}

namespace {

/// What the forked child of a worker does; its exit status says which check failed.
int child_of_worker(morpheus_thread* self, struct morpheus_safepoint sp,
                    const std::string& socket) {
  if (morpheus_worker_self() != nullptr) return 1;
  if (*self->critical != 1) return 2;
  morpheus_critical_exit(self);
  if (*self->critical != 0) return 3;
  if (morpheus_checkpoint(&sp)) return 4;
  if (morpheus_asked(&sp)) return 5;
  if (AttachedProcess::status().link != MORPHEUS_LINK_NONE) return 6;
  const AttachedProcess again(socket);
  start_worker();
  if (AttachedProcess::status().guided != 1) return 7;
  return 0;
}

}  // namespace

TEST_CASE("a forked child is detached, cannot touch its parent's lines, and may attach anew") {
#ifdef __SANITIZE_THREAD__
  SKIP("the thread sanitizer knows no threads in a forked child");
#endif
  const SocketPath path;
  TinyDaemon daemon(path.text());
  const AttachedProcess process(path.text());
  morpheus_thread* self = start_worker();
  struct morpheus_safepoint sp = morpheus_safepoint_get();
  morpheus_critical_enter(self);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(child_of_worker(self, sp, path.text()));
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(daemon.runtime_line().is_in_critical_section == 1);
  morpheus_critical_exit(self);
  CHECK(daemon.runtime_line().is_in_critical_section == 0);
  CHECK(acknowledges(daemon, 0, daemon.hint(), sp));
}
