// SPDX-License-Identifier: GPL-2.0-only
// How much of the CPU each thread gets in Enforced mode, and which threads belong to the scheduler
// at all. Shares and policies are the kernel's own, from /proc.
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <cmath>
#include <fstream>
#include <future>
#include <semaphore>
#include <thread>
#include <utility>

#include "tests/kernel/crowd.hpp"
#include "tests/kernel/machine.hpp"
#include "tests/programs/control_group.hpp"
#include "tests/programs/load.hpp"

using namespace morpheus::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kSchedExt = 7;

void allow(pid_t thread, std::initializer_list<unsigned> cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const unsigned cpu : cpus) CPU_SET(cpu, &set);
  REQUIRE(::sched_setaffinity(thread, sizeof set, &set) == 0);
}

std::string caches_of(unsigned cpu) {
  std::string list;
  std::getline(std::ifstream("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                             "/cache/index3/shared_cpu_list") >>
                   std::ws,
               list);
  return list;
}

/// CPU time of the first thread of each load over the next `seconds`.
std::array<double, 3> cpu_times(const std::array<const Load*, 3>& loads, int seconds) {
  std::array<double, 3> times{};
  for (std::size_t i = 0; i < loads.size(); ++i)
    times[i] = -static_cast<double>(loads[i]->seen(0).cpu_ns);
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  for (std::size_t i = 0; i < loads.size(); ++i)
    times[i] += static_cast<double>(loads[i]->seen(0).cpu_ns);
  return times;
}

/// A thread that sleeps until it is woken.
class Sleeper {
 public:
  Sleeper() {
    thread_ = std::jthread([this] {
      tid_.set_value(::gettid());
      for (wake_.acquire(); !ends_; wake_.acquire()) awake_.release();
    });
    tid_known_ = tid_.get_future().get();
  }
  ~Sleeper() {
    ends_ = true;
    wake_.release();
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  [[nodiscard]] pid_t tid() const { return tid_known_; }
  /// Wakes it: until it has run.
  Clock::duration wakes_in() {
    const auto begun = Clock::now();
    wake_.release();
    awake_.acquire();
    return Clock::now() - begun;
  }

 private:
  std::promise<pid_t> tid_;
  pid_t tid_known_ = 0;
  std::atomic<bool> ends_ = false;
  std::binary_semaphore wake_{0}, awake_{0};
  std::jthread thread_;
};

}  // namespace

TEST_CASE("enforced: cpu.weight gives the threads of control groups shares of 1 to 2 to 4") {
  need_control_groups();
  const ControlGroup one("morpheus-one"), two("morpheus-two"), four("morpheus-four");
  two.write("cpu.weight", "200");
  const auto& daemon = observing_daemon();
  const Crowd a(daemon, {kWorker}), b(daemon, {kWorker}), c(daemon, {kWorker});
  one.take(a.pid());
  two.take(b.pid());
  four.take(c.pid());
  set_mode(daemon, "enforced");
  four.write("cpu.weight", "400");  // two's weight was set before the mode, this one after it
  const auto is_good = [](const auto& used) {
    return std::abs(used[1] / used[0] - 2) < 0.2 && std::abs(used[2] / used[0] - 4) < 0.4;
  };
  const auto used = measure_until([&] { return cpu_times({&a, &b, &c}, 6); }, is_good);
  INFO(used[0] << " " << used[1] << " " << used[2]);
  CHECK(is_good(used));
}

TEST_CASE("enforced: a weight that a user gives to his own group takes nothing from others") {
  need_control_groups();
  const ControlGroup users("morpheus-users");
  users.write("cgroup.subtree_control", "+cpu");
  users.give_to(65534);
  const ControlGroup greedy("morpheus-users/greedy"), modest("morpheus-users/modest");
  const auto& daemon = observing_daemon();
  const Crowd a(daemon, {kWorker}), b(daemon, {kWorker}), c(daemon, {kWorker});
  greedy.take(a.pid());
  modest.take(b.pid());
  set_mode(daemon, "enforced");
  greedy.write("cpu.weight", "10000");
  modest.write("cpu.weight", "50");
  const auto is_good = [](const auto& used) {
    return used[0] < 1.2 * used[2] && used[1] < 0.7 * used[2];
  };
  const auto times = measure_until([&] { return cpu_times({&a, &b, &c}, 6); }, is_good);
  INFO(times[0] << " " << times[1] << " " << times[2]);
  CHECK(is_good(times));
}

TEST_CASE("enforced: the worker of the lowest priority is asked to make room") {
  need_sched_ext();
  if (crowded_cpu() != 1 || caches_of(0) != caches_of(1)) SKIP("needs two CPUs that share a cache");
  const bool first_is_low = GENERATE(true, false);
  const auto with_priority = [](unsigned priority) {
    return ThreadSpec{.manner = Manner::cooperative, .priority = priority};
  };
  const auto& daemon = enforcing_daemon();
  const Load workers(
      daemon.socket(), Load::kEachCpu,
      {with_priority(first_is_low ? 400 : 500), with_priority(first_is_low ? 500 : 400)}, nullptr);
  const Load sleeper(daemon.socket(), Load::kAnyCpu, {kSleeper}, nullptr);
  const std::array before{workers.hints(0), workers.hints(1)};
  (void)workers.used(1, 4);
  const std::array hints{workers.hints(0) - before[0], workers.hints(1) - before[1]};
  INFO(hints[0] << " " << hints[1]);
  CHECK(hints[first_is_low ? 0 : 1] > 3 * hints[first_is_low ? 1 : 0]);
}

TEST_CASE("enforced: a low priority takes from a worker's share, a high one adds nothing") {
  const auto& daemon = enforcing_daemon();
  const Crowd load(daemon,
                   {kWorker,
                    {.manner = Manner::cooperative, .priority = MORPHEUS_PRIORITY_MAX},
                    {.manner = Manner::cooperative, .priority = MORPHEUS_PRIORITY_DEFAULT / 2}});
  const auto is_good = [](const auto& shares) {
    return std::abs(shares[0] - 0.4) < 0.04 && std::abs(shares[1] - 0.4) < 0.04 &&
           std::abs(shares[2] - 0.2) < 0.04;
  };
  const auto shares = measure_until([&] { return load.shares(8); }, is_good);
  INFO(shares[0] << " " << shares[1] << " " << shares[2]);
  CHECK(is_good(shares));
}

TEST_CASE("enforced: the lightest thread in a crowd waits for seconds, but not for ever") {
  need_sched_ext();
  const auto& daemon = observing_daemon();
  const std::vector<ThreadSpec> half(15, kRival);
  const Crowd crowd(daemon, half);
  const Crowd more(daemon, half);
  const Crowd light(daemon, {kRival});
  const sched_param none{};
  REQUIRE(::sched_setscheduler(light.tid(0), SCHED_IDLE, &none) == 0);
  set_mode(daemon, "enforced");
  // By its weight alone each of its turns would be followed by 50 s without one, and 30 s end a
  // scheduler.
  const auto begun = Clock::now();
  auto had_cpu = begun;
  auto used = light.seen(0).cpu_ns;
  Clock::duration longest{};
  while (Clock::now() - begun < std::chrono::seconds(28)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const auto now = Clock::now();
    longest = std::max(longest, now - had_cpu);
    const auto before = std::exchange(used, light.seen(0).cpu_ns);
    if (used != before) had_cpu = now;
  }
  CHECK(longest < std::chrono::seconds(14));
  CHECK(sched_ext_state() == "enabled");
}

TEST_CASE("enforced: a thread that is moved while it sleeps waits by its new CPU's clock") {
  need_sched_ext();
  // Light threads drive the clock of their CPU far ahead of the other's.
  OwnDaemon daemon(Json{{"canary", {{"starved_ms", 0}}}});  // which is such a thread
  const Load light(daemon.socket(), 0, {kRival, kRival}, nullptr);
  const Crowd ordinary(daemon, {kRival, kRival});
  for (std::size_t i = 0; i < light.size(); ++i)
    REQUIRE(::setpriority(PRIO_PROCESS, static_cast<id_t>(light.tid(i)), 19) == 0);
  set_mode(daemon, "enforced");
  Sleeper sleeper;
  int late = 0;
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(50ms);  // until it sleeps
    allow(sleeper.tid(), {i % 2 == 0 ? 0 : crowded_cpu()});
    late += sleeper.wakes_in() > 500ms ? 1 : 0;
  }
  CHECK(late < 3);
}

TEST_CASE("enforced: threads that crowd one cache are helped by the CPUs of another") {
  need_sched_ext();
  if (crowded_cpu() != 1 || caches_of(0) == caches_of(1))
    SKIP("needs two CPUs with a last-level cache each");
  const auto& daemon = enforcing_daemon();
  // They are born where their parent runs: without help one of them could have a CPU to itself.
  const Load load(daemon.socket(), Load::kAnyCpu, std::vector<ThreadSpec>(8, kWorker), nullptr);
  CHECK(measure_until([&] { return std::ranges::max(load.shares(8)); },
                      [](double most) { return most < 0.3; }) < 0.3);
  // It is chance whether they crowd one cache by themselves: all but one are driven there.
  CHECK(eventually([&] {
    for (std::size_t i = 1; i < load.size(); ++i) allow(load.tid(i), {0});
    for (std::size_t i = 1; i < load.size(); ++i) allow(load.tid(i), {0, 1});
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    for (std::size_t i = 0; i < load.size(); ++i)
      if (worker(daemon, load.tid(i))["hints_by_reason"].value("IMBALANCE", 0) > 0) return true;
    return false;
  }));
}

TEST_CASE("scope workers: only workers are scheduled, and only while Enforced mode lasts") {
  need_sched_ext();
  OwnDaemon daemon(Json{{"scope", "workers"}});
  Crowd load(daemon, {kWorker, kWorker, kSleeper});
  const auto policies = [&] {
    return std::array{load.seen(0).policy, load.seen(1).policy, load.seen(2).policy};
  };
  constexpr std::array kOwn{SCHED_OTHER, SCHED_OTHER, SCHED_OTHER};
  constexpr std::array kOurs{kSchedExt, kSchedExt, SCHED_OTHER};
  CHECK(policies() == kOwn);
  set_mode(daemon, "enforced");
  CHECK(policies() == kOurs);
  CHECK(sched_ext_ops() == "morpheus");
  CHECK(control(daemon, "GetStatus")["scope"] == "workers");
  const auto hints = load.hints(0);
  CHECK(eventually([&] { return load.hints(0) > hints + 5; }));
  const auto least_share = [&] {
    const auto shares = load.shares(4);
    return std::min(shares[0], shares[1]);
  };
  CHECK(measure_until(least_share, [](double share) { return share > 0.2; }) > 0.2);
  set_mode(daemon, "observer");
  CHECK(policies() == kOwn);

  // a daemon that is killed leaves the policy, under which the kernel's own class runs them; the
  // next daemon puts it right
  set_mode(daemon, "enforced");
  CHECK(policies() == kOurs);
  daemon.stop(SIGKILL);
  REQUIRE(eventually([&] { return sched_ext_state() == "disabled"; }));
  const auto passed = load.safe_points(0);
  CHECK(eventually([&] { return load.safe_points(0) > passed + 100; }));
  daemon.start();
  CHECK(eventually([&] { return policies() == kOwn; }));
}
