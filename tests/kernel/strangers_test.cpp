// SPDX-License-Identifier: GPL-2.0-only
// Enforced mode on a host of strangers: what ordinary users do to have more than their share, or to
// end the mode for all. The measure is what the kernel's own class leaves to their victim, in
// the same boot.
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "tests/kernel/crowd.hpp"
#include "tests/kernel/machine.hpp"
#include "tests/programs/control_group.hpp"
#include "tests/programs/hostile.hpp"

using namespace morpheus::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr double kSeconds = 5;
constexpr double kAtLeast = 0.9;              // of what the kernel's own class gives
constexpr double kAtLeastBesideChain = 0.75;  // which is placed by threads, not by processes

void make_and_remove(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0755) == 0) ::rmdir(directory.c_str());
}

/// What is measured under the kernel's own class, and then in Enforced mode.
template <class Measured = double>
struct Compared {
  Measured own, enforced;
};

template <class Measure>
auto compare(const DaemonProcess& daemon, const Measure& measure) {
  set_mode(daemon, "observer");
  const auto own = measure();
  set_mode(daemon, "enforced");
  std::this_thread::sleep_for(2s);  // the first round of all threads
  return Compared{own, measure()};
}

void check_victim(const DaemonProcess& daemon, const std::function<double()>& measure,
                  double at_least = kAtLeast) {
  const auto got =
      measure_until([&] { return compare(daemon, measure); },
                    [&](const Compared<>& seen) { return seen.enforced >= at_least * seen.own; });
  INFO("the kernel's own " << got.own << ", enforced " << got.enforced);
  CHECK(got.enforced >= at_least * got.own);
  CHECK(sched_ext_state() == "enabled");
}

}  // namespace

TEST_CASE("strangers: what a worker owes is not forgiven for an instant of sleep") {
  need_sched_ext();
  const auto& daemon = observing_daemon();
  const Crowd load(daemon, {{.manner = Manner::grabber}, kRival, kRival});
  check_victim(daemon, [&] { return 1 - load.shares(kSeconds)[0]; });
}

TEST_CASE("strangers: threads that yield all the time have no more than others") {
  need_sched_ext();
  const auto& daemon = observing_daemon();
  const Crowd load(daemon, {{.manner = Manner::yielder}, {.manner = Manner::yielder}, kRival});
  check_victim(daemon, [&] { return load.shares(kSeconds)[2]; });
}

TEST_CASE("strangers: a chain of processes has little more than one thread") {
  need_sched_ext();
  const auto& daemon = observing_daemon();
  const Load victim(daemon.socket(), Load::kAnyCpu, {kRival}, nullptr);
  const Chain chain;
  check_victim(daemon, [&] { return victim.used(1, kSeconds); }, kAtLeastBesideChain);
}

TEST_CASE("strangers: a hundred threads that wake together do not shut a neighbour out") {
  need_sched_ext();
  const auto& daemon = observing_daemon();
  std::vector<ThreadSpec> threads(
      100, ThreadSpec{.manner = Manner::sleeper, .sleep_us = 20'000, .work_us = 500});
  threads.push_back(kRival);
  const Crowd load(daemon, threads);
  const auto is_good = [](const Compared<>& seen) {
    return seen.enforced < std::max(4 * seen.own, 1.0);
  };
  const auto got = measure_until(
      [&] { return compare(daemon, [&] { return watch(load, 100, 8s).longest_gap_s; }); }, is_good);
  INFO("longest without the CPU: the kernel's own " << got.own << " s, enforced " << got.enforced
                                                    << " s");
  CHECK(is_good(got));
}

TEST_CASE("strangers: a crowd on one CPU does not end Enforced mode") {
  const auto& daemon = enforcing_daemon();
  const Crowd crowd(daemon, std::vector<ThreadSpec>(600, kRival));
  std::this_thread::sleep_for(20s);
  INFO(morpheus::json_text(control(daemon, "GetStatus")["scheduler"]));
  CHECK(sched_ext_state() == "enabled");
  CHECK(control(daemon, "GetStatus")["mode"] == "enforced");
}

TEST_CASE("strangers: a group out of time holds no lock in the kernel for long") {
  need_control_groups();
  const ControlGroup bounded("morpheus-bounded");
  bounded.write("cpu.max", "10000 100000");
  const auto& daemon = observing_daemon();
  std::deque<Repeater> makers;
  for (int i = 0; i < 4; ++i) {
    const auto path = "/sys/fs/cgroup/morpheus-maker-" + std::to_string(i);
    bounded.take(makers.emplace_back([path] { make_and_remove(path); }, Repeater::As::root).pid());
  }
  const Crowd crowd(daemon, std::vector<ThreadSpec>(20, kRival));
  bounded.take(crowd.pid());
  const auto is_good = [](const Compared<>& seen) {
    return seen.enforced < std::max(2 * seen.own, 0.25);
  };
  const auto got =
      measure_until([&] { return compare(daemon, [] { return longest_making(8s); }); }, is_good);
  INFO("longest: the kernel's own " << got.own << " s, enforced " << got.enforced << " s");
  CHECK(is_good(got));
  CHECK(sched_ext_state() == "enabled");
  makers.clear();
  for (int i = 0; i < 4; ++i)
    ::rmdir(("/sys/fs/cgroup/morpheus-maker-" + std::to_string(i)).c_str());
}

TEST_CASE("strangers: a group in the kernel, or asleep there, stays within its bound") {
  need_control_groups();
  const bool sleeps = GENERATE(false, true);
  const ControlGroup bounded("morpheus-bounded");
  bounded.write("cpu.max", "10000 100000");
  const auto& daemon = observing_daemon();
  std::deque<Repeater> processes;
  for (int i = 0; i < 4; ++i) {
    // vfork() sleeps uninterruptibly
    const auto act = [sleeps] {
      if (!sleeps) {
        ::syscall(SYS_getppid);
      } else if (const pid_t child = ::vfork(); child == 0) {
        ::_exit(0);
      } else {
        ::waitpid(child, nullptr, 0);
      }
    };
    bounded.take(processes.emplace_back(act, Repeater::As::root).pid());
  }
  const auto is_good = [](const Compared<>& seen) {
    return seen.enforced < std::max(0.13, 1.3 * seen.own) && seen.enforced > 0.05;
  };
  const auto share = measure_until(
      [&] { return compare(daemon, [&] { return share_of(bounded, 5s); }); }, is_good);
  INFO("the group's share: the kernel's own " << share.own << ", enforced " << share.enforced);
  CHECK(is_good(share));
}

TEST_CASE("strangers: a crowd in a group with a bound stays within it and out of the way") {
  need_control_groups();
  const ControlGroup bounded("morpheus-bounded");
  bounded.write("cpu.max", "10000 100000");
  const auto& daemon = observing_daemon();
  const Crowd victim(daemon, {kRival});
  const Crowd crowd(daemon, std::vector<ThreadSpec>(500, kRival));
  bounded.take(crowd.pid());
  struct Seen {
    double gap, share, worst_second;
  };
  const auto measure = [&] {
    constexpr int kSeconds = 13;  // longer than a round of turns
    auto gap = std::async(std::launch::async,
                          [&] { return watch(victim, 0, 1s * kSeconds).longest_gap_s; });
    double sum = 0, worst = 0;
    for (int i = 0; i < kSeconds; ++i) {
      const double share = share_of(bounded, 1s);
      sum += share;
      worst = std::max(worst, share);
    }
    return Seen{gap.get(), sum / kSeconds, worst};
  };
  const auto is_good = [](const Compared<Seen>& seen) {
    return seen.enforced.gap < std::max(2 * seen.own.gap, 0.1) &&
           seen.enforced.share < std::max(0.15, 1.5 * seen.own.share) &&
           seen.enforced.share > 0.05 &&
           seen.enforced.worst_second < std::max(0.4, 2 * seen.own.worst_second);
  };
  const auto [own, enforced] = measure_until([&] { return compare(daemon, measure); }, is_good);
  INFO("the victim's longest gap: the kernel's own " << own.gap << " s, enforced " << enforced.gap
                                                     << " s");
  INFO("the group's share: the kernel's own " << own.share << ", enforced " << enforced.share);
  INFO("in the worst second: the kernel's own " << own.worst_second << ", enforced "
                                                << enforced.worst_second);
  CHECK(is_good({own, enforced}));
  CHECK(sched_ext_state() == "enabled");
}
