// SPDX-License-Identifier: GPL-2.0-only
// What a worker does when the kernel hints.
#include <morpheus/morpheus.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <ctime>

#include "tests/unit/sdk/attached_process.hpp"
#include "tests/unit/sdk/tiny_daemon.hpp"

using namespace morpheus::test;

namespace {

struct GuidedWorker {
  SocketPath path;
  TinyDaemon daemon{path.text()};
  AttachedProcess process{path.text()};
  morpheus_thread* self = start_worker();
  struct morpheus_safepoint sp = morpheus_safepoint_get();
};

}  // namespace

TEST_CASE("a worker is known to the daemon and quiet") {
  GuidedWorker g;
  CHECK(AttachedProcess::status().link == MORPHEUS_LINK_ATTACHED);
  CHECK(AttachedProcess::status().guided == 1);
  CHECK(g.daemon.state() == "RUNNING");
  CHECK_FALSE(morpheus_checkpoint(&g.sp));
  CHECK_FALSE(morpheus_checkpoint_here());
  CHECK(stats().acks == 0);
}

TEST_CASE("a hint makes one checkpoint acknowledge and yield") {
  GuidedWorker g;
  const std::uint64_t seq = g.daemon.hint();
  CHECK(morpheus_asked(&g.sp));
  CHECK(g.daemon.acknowledged() != seq);
  CHECK(morpheus_checkpoint(&g.sp));
  CHECK(g.daemon.acknowledged() == seq);
  CHECK(g.daemon.runtime_line().last_yield_reason == MORPHEUS_YIELD_HINT);
  CHECK(g.daemon.runtime_line().last_ack_ns > 0);
  CHECK(g.daemon.runtime_line().runtime_mode == MORPHEUS_PRESSURED);
  CHECK_FALSE(morpheus_checkpoint(&g.sp));
  CHECK(stats().hints == 1);
  CHECK(stats().yields == 1);
  CHECK(morpheus_get_mode() == MORPHEUS_PRESSURED);
}

TEST_CASE("two safe points of one thread acknowledge one hint once") {
  GuidedWorker g;
  g.daemon.hint();
  CHECK(morpheus_checkpoint_here());
  CHECK_FALSE(morpheus_checkpoint(&g.sp));
  CHECK(stats().acks == 1);
  CHECK_FALSE(morpheus_asked(&g.sp));
}

TEST_CASE("a withdrawn hint is acknowledged without yielding") {
  GuidedWorker g;
  const std::uint64_t seq = g.daemon.hint();
  g.daemon.withdraw();
  CHECK_FALSE(morpheus_checkpoint(&g.sp));
  CHECK(g.daemon.acknowledged() == seq);
  CHECK(stats().withdrawn == 1);
  CHECK(stats().yields == 0);
}

TEST_CASE("a hint after a withdrawn one asks again") {
  GuidedWorker g;
  g.daemon.hint();
  g.daemon.withdraw();
  const std::uint64_t seq = g.daemon.hint();
  CHECK(morpheus_checkpoint(&g.sp));
  CHECK(g.daemon.acknowledged() == seq);
  CHECK(stats().hints == 2);
  CHECK(stats().acks == 1);
}

TEST_CASE("a critical section puts the acknowledgement off until it has ended") {
  GuidedWorker g;
  morpheus_critical_enter(g.self);
  morpheus_critical_enter(g.self);
  CHECK(g.daemon.runtime_line().is_in_critical_section == 2);
  const std::uint64_t seq = g.daemon.hint();
  CHECK_FALSE(morpheus_checkpoint(&g.sp));
  morpheus_critical_exit(g.self);
  CHECK_FALSE(morpheus_checkpoint(&g.sp));
  CHECK(g.daemon.acknowledged() != seq);
  morpheus_critical_exit(g.self);
  CHECK(g.daemon.runtime_line().is_in_critical_section == 0);
  CHECK(morpheus_checkpoint(&g.sp));
  CHECK(g.daemon.acknowledged() == seq);
  CHECK(stats().deferred == 2);
}

TEST_CASE("acknowledge leaves the yield to the caller and keeps its reason") {
  GuidedWorker g;
  g.daemon.hint();
  CHECK(morpheus_acknowledge(&g.sp));
  CHECK(stats().yields == 0);
  morpheus_yield();
  CHECK(g.daemon.runtime_line().last_yield_reason == MORPHEUS_YIELD_HINT);
  morpheus_yield();
  CHECK(g.daemon.runtime_line().last_yield_reason == MORPHEUS_YIELD_EXPLICIT);
  CHECK(stats().yields == 2);
}

TEST_CASE("claims reach the kernel's view") {
  GuidedWorker g;
  CHECK(g.daemon.runtime_line().escapable == 0);
  CHECK(g.daemon.runtime_line().runtime_priority == MORPHEUS_PRIORITY_DEFAULT);
  CHECK(morpheus_set_escapable(true) == MORPHEUS_OK);
  CHECK(morpheus_set_priority(700) == MORPHEUS_OK);
  CHECK(morpheus_set_policy(MORPHEUS_POLICY_THREAD_KICK) == MORPHEUS_OK);
  CHECK(g.daemon.runtime_line().escapable == 1);
  CHECK(g.daemon.runtime_line().runtime_priority == 700);
  CHECK(g.daemon.runtime_line().escalation_policy == MORPHEUS_POLICY_THREAD_KICK);
  CHECK(morpheus_worker_set_state(MORPHEUS_WORKER_QUIESCING) == MORPHEUS_OK);
  CHECK(g.daemon.state() == "QUIESCING");

  const morpheus_scb_runtime& line = g.daemon.runtime_line();
  CHECK(morpheus_worker_unregister() == MORPHEUS_OK);
  CHECK(line.escapable == 0);
  CHECK(g.daemon.state() == "gone");
}

TEST_CASE("guidance and pressure are what the kernel says") {
  GuidedWorker g;
  g.daemon.kernel_line().budget_remaining_ns = 12345;
  g.daemon.kernel_line().kernel_pressure_level = 77;
  g.daemon.global().cpu_pressure_pct = 33;
  g.daemon.hint(0, MORPHEUS_HINT_BUDGET);
  morpheus_guidance guidance{};
  REQUIRE(morpheus_get_guidance(&guidance) == MORPHEUS_OK);
  CHECK(guidance.budget_remaining_ns == 12345);
  CHECK(guidance.pressure_level == 77);
  CHECK(guidance.hint_reason == MORPHEUS_HINT_BUDGET);
  CHECK(guidance.source != 0);
  morpheus_global_pressure pressure{};
  REQUIRE(morpheus_get_pressure(&pressure) == MORPHEUS_OK);
  CHECK(pressure.cpu_pressure_pct == 33);
}

TEST_CASE("a lost hint makes the worker yield by itself, about once a millisecond") {
  GuidedWorker g;
  g.daemon.kernel_line().hint_loss_count = 1;
  g.daemon.hint();
  CHECK(morpheus_checkpoint(&g.sp));
  CHECK(morpheus_get_mode() == MORPHEUS_DEFENSIVE);
  CHECK(g.daemon.runtime_line().runtime_mode == MORPHEUS_DEFENSIVE);

  // 50 ms of its own time, which on a crowded machine may take many times that by the clock
  const auto start = std::chrono::steady_clock::now();
  const auto clock_at_start = std::clock();
  std::uint64_t yields = 0;
  while (std::clock() - clock_at_start < CLOCKS_PER_SEC / 20)
    yields += morpheus_checkpoint(&g.sp) ? 1 : 0;
  const auto took = std::chrono::steady_clock::now() - start;
  CHECK(yields >= 5);
  CHECK(yields <= 10 + static_cast<std::uint64_t>(took / std::chrono::milliseconds(1)));
  CHECK(g.daemon.runtime_line().last_yield_reason == MORPHEUS_YIELD_CHECKPOINT);

  CHECK(eventually([&] {
    (void)morpheus_checkpoint(&g.sp);
    return morpheus_get_mode() == MORPHEUS_DETERMINISTIC;
  }));
  CHECK_FALSE(morpheus_checkpoint(&g.sp));
  CHECK_FALSE(morpheus_asked(&g.sp));
}

TEST_CASE("a thread that ends is unregistered") {
  GuidedWorker g;
  std::thread([] { start_worker(); }).join();
  CHECK(g.daemon.registrations() == 2);
  CHECK(g.daemon.state(1) == "gone");
  CHECK(g.daemon.state(0) == "RUNNING");
  CHECK(AttachedProcess::status().workers == 1);
}

TEST_CASE("a refused worker works unguided") {
  const SocketPath path;
  TinyDaemon daemon(path.text(), {.refuse_workers = true});
  const AttachedProcess process(path.text());
  start_worker();
  const morpheus_status status = AttachedProcess::status();
  CHECK(status.link == MORPHEUS_LINK_ATTACHED);
  CHECK(status.workers == 1);
  CHECK(status.guided == 0);
  CHECK(std::string(status.last_error).find("QuotaExceeded") != std::string::npos);
  CHECK_FALSE(morpheus_checkpoint_here());
}

TEST_CASE("memory that could be shrunk under the process is refused") {
  const SocketPath path;
  TinyDaemon daemon(path.text(), {.unsealed = true});
  const AttachedProcess process(path.text());
  CHECK(AttachedProcess::status().link == MORPHEUS_LINK_WAITING);
  CHECK(std::string(AttachedProcess::status().last_error).find("sealed") != std::string::npos);
}
