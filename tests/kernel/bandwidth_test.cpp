// SPDX-License-Identifier: GPL-2.0-only
// Bounds on the CPU time of control groups in Enforced mode: the operator's cpu.max, and the
// penalty of a group whose worker ignored a hint. Times are the kernel's own, from /proc.
#include <signal.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <cmath>
#include <numeric>

#include "tests/kernel/crowd.hpp"
#include "tests/kernel/machine.hpp"
#include "tests/programs/control_group.hpp"
#include "tests/programs/load.hpp"
#include "tests/programs/trace_check.hpp"

using namespace morpheus::test;

namespace {

constexpr double kClose = 0.02;  // two percentage points of one CPU

/// Checks that the share settles at `wanted`. The bound may have been set between two looks of the
/// daemon, and an emulated CPU that is stopped for a while overdraws in one stretch of time what it
/// pays back in the next.
void check_settles(const Load& load, std::size_t count, double wanted) {
  std::vector used{load.used(count, 4)};
  double settled = used[0];
  while (std::abs(settled - wanted) >= kClose && used.size() < 6) {
    used.push_back(load.used(count, 4));
    settled =
        std::accumulate(used.begin() + 1, used.end(), 0.0) / static_cast<double>(used.size() - 1);
  }
  INFO("used " << Json(used) << " of a CPU, allowed " << wanted);
  CHECK(std::abs(settled - wanted) < kClose);
}

/// Events of a thread as they come, by type.
class Listener {
 public:
  explicit Listener(const DaemonProcess& daemon) : stream_(daemon.connect()) {
    REQUIRE(stream_.call_more("io.morpheus.Control.Subscribe"));
  }
  /// Waits for the next event of this type.
  Json wait_for(pid_t tid, const std::string& type) {
    Json found;
    REQUIRE(eventually([&] {
      const auto reply = stream_.next_reply(std::chrono::seconds(1));
      if (!reply) return false;
      for (const auto& event : reply->parameters["events"])
        if (event["tid"] == tid && event["type"] == type) found = event;
      return !found.is_null();
    }));
    return found;
  }

 private:
  Client stream_;
};

bool shows_throttles(const DaemonProcess& daemon, pid_t tid) {
  const TempDir dir;
  const auto path = dir.path + "/trace.json";
  REQUIRE(daemon.ctl({"trace", "--seconds", "4", "-o", path}).status == 0);
  const auto trace = read_json(path);
  CHECK(faults_of_trace(trace) == std::vector<std::string>{});
  return std::ranges::any_of(trace["traceEvents"], [&](const Json& event) {
    return event["ph"] == "b" && event["name"] == "throttled" && event["tid"] == tid;
  });
}

ThreadSpec deaf(int policy) {
  return {.manner = Manner::deaf, .escapable = true, .policy = policy};
}

}  // namespace

TEST_CASE("enforced: an operator's cpu.max holds, and so does a change of it") {
  need_control_groups();
  ControlGroup group("morpheus-bound");
  group.write("cpu.max", "20000 100000");
  const auto& daemon = observing_daemon();
  Crowd load(daemon, {kRival, kRival});
  group.take(load.pid());
  set_mode(daemon, "enforced");
  check_settles(load, 2, 0.20);
  group.write("cpu.max", "50000 100000");
  check_settles(load, 2, 0.50);
  group.write("cpu.max", "max 100000");
  CHECK(eventually([&] { return load.used(2, 0.5) > 0.8; }));
  CHECK(sched_ext_state() == "enabled");
}

TEST_CASE("enforced: a deaf worker's group is throttled where the operator allows it") {
  need_control_groups();
  const int policy = GENERATE(MORPHEUS_POLICY_CGROUP_THROTTLE, MORPHEUS_POLICY_HYBRID);
  ControlGroup group("morpheus-throttled");
  const auto before = group.read("cpu.max");
  OwnDaemon daemon(throttling("morpheus-throttled", 20, 60'000));
  Crowd load(daemon, {deaf(policy), kRival}, &witness());
  Crowd neighbour(daemon, {kRival});
  group.take(load.pid());
  set_mode(daemon, "enforced");
  REQUIRE(eventually([&] { return worker(daemon, load.tid(0))["throttles"] > 0; }));
  check_settles(load, 2, 0.20);
  CHECK((witness().count(0).kicked > 0) == (policy == MORPHEUS_POLICY_HYBRID));
  CHECK(neighbour.used(1, 2) > 0.6);
  CHECK(group.read("cpu.max") == before);

  // nothing of the penalty outlives the daemon, however that ends
  daemon.stop(SIGKILL);
  REQUIRE(eventually([&] { return sched_ext_state() == "disabled"; }));
  CHECK(group.read("cpu.max") == before);
  CHECK(eventually([&] { return load.used(2, 1) > 0.5; }));
}

TEST_CASE("enforced: a group that the operator did not name is never throttled") {
  need_control_groups();
  ControlGroup group("morpheus-spared");
  const auto& daemon = observing_daemon();
  Crowd load(daemon, {deaf(MORPHEUS_POLICY_CGROUP_THROTTLE), kRival});
  group.take(load.pid());
  set_mode(daemon, "enforced");
  REQUIRE(eventually([&] { return worker(daemon, load.tid(0))["blocked"].contains("CGROUP"); }));
  CHECK(worker(daemon, load.tid(0))["throttles"] == 0);
  CHECK(load.used(2, 3) > 0.8);
}

TEST_CASE("enforced: a penalty ends") {
  need_control_groups();
  ControlGroup group("morpheus-penalty");
  OwnDaemon daemon(throttling("morpheus-penalty", 10, 3000));
  Crowd load(daemon, {deaf(MORPHEUS_POLICY_CGROUP_THROTTLE), kRival});
  group.take(load.pid());
  Listener beginning(daemon);
  set_mode(daemon, "enforced");
  CHECK(beginning.wait_for(load.tid(0), "THROTTLED")["value_ns"] == 3'000'000'000u);
  CHECK(worker(daemon, load.tid(0))["throttles"] > 0);
  // for so long, since it may begin with an overdraft: see check_settles()
  CHECK(load.used(2, 4) < 0.2);
  CHECK(eventually([&] { return shows_throttles(daemon, load.tid(0)); }));
  Listener ending(daemon);
  set_tunables_ms(daemon, 900, 9000, 2000);  // no further offence
  const auto start = std::chrono::steady_clock::now();
  CHECK(eventually([&] { return load.used(2, 1) > 0.8; }));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
  CHECK(ending.wait_for(load.tid(0), "UNTHROTTLED")["value_ns"] >= 3'000'000'000u);
}

TEST_CASE("enforced: a penalty that is not served yet ends with the mode, and its end is told") {
  need_control_groups();
  ControlGroup group("morpheus-amnesty");
  OwnDaemon daemon(throttling("morpheus-amnesty", 10, 600'000));
  Crowd load(daemon, {deaf(MORPHEUS_POLICY_CGROUP_THROTTLE), kRival});
  group.take(load.pid());
  Listener listener(daemon);
  set_mode(daemon, "enforced");
  CHECK(listener.wait_for(load.tid(0), "THROTTLED")["value_ns"] == 600'000'000'000u);
  set_mode(daemon, "observer");
  CHECK(listener.wait_for(load.tid(0), "UNTHROTTLED")["value_ns"] < 600'000'000'000u);
  CHECK(eventually([&] { return load.used(2, 0.5) > 0.8; }));
  // the penalty does not come back with the mode
  set_tunables_ms(daemon, 900, 9000, 2000);  // no further offence
  set_mode(daemon, "enforced");
  CHECK(eventually([&] { return load.used(2, 0.5) > 0.8; }));
}
