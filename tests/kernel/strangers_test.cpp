// SPDX-License-Identifier: GPL-2.0-only
// Enforced mode on a host of strangers: what ordinary users do to have more than their share, or to
// end the mode for all. The measure is what the kernel's own class leaves to their victim, in
// the same boot.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/measuring/unprivileged.hpp"
#include "tests/kernel/crowd.hpp"
#include "tests/kernel/machine.hpp"
#include "tests/programs/control_group.hpp"

using namespace morpheus::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr double kSeconds = 5;
constexpr double kAtLeast = 0.9;              // of what the kernel's own class gives
constexpr double kAtLeastBesideChain = 0.75;  // which is placed by threads, not by processes

/// Processes each of which starts the next, computes for 3 ms and ends. Run as an ordinary user.
class Chain {
 public:
  Chain()
      : ends_(static_cast<std::atomic<bool>*>(::mmap(
            nullptr, sizeof(*ends_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    REQUIRE(ends_ != MAP_FAILED);
    if (::fork() == 0) run();
  }
  ~Chain() {
    *ends_ = true;
    std::this_thread::sleep_for(500ms);  // the last one may not have seen it yet
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    ::munmap(ends_, sizeof(*ends_));
  }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

 private:
  [[noreturn]] void run() {
    if (!morpheus::bench::give_up_root()) ::_exit(1);
    ::signal(SIGCHLD, SIG_IGN);
    for (;;) {
      if (*ends_ || ::fork() != 0) break;
    }
    for (const auto end = Clock::now() + 3ms; Clock::now() < end;) {
    }
    ::_exit(0);
  }

  std::atomic<bool>* ends_;
};

/// A process that does the same again and again.
class Repeater {
 public:
  explicit Repeater(const std::function<void()>& act) : pid_(::fork()) {
    REQUIRE(pid_ >= 0);
    while (pid_ == 0) act();
  }
  ~Repeater() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Repeater(const Repeater&) = delete;
  Repeater& operator=(const Repeater&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

void make_and_remove(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0755) == 0) ::rmdir(directory.c_str());
}

/// CPU time of a group over the next seconds, as a share of one CPU.
double share_of(const ControlGroup& group, std::chrono::seconds time) {
  const auto used_us = [&] {
    std::istringstream file(group.read("cpu.stat"));
    std::string name;
    double value = 0;
    while (file >> name >> value && name != "usage_usec") {
    }
    return value;
  };
  const double before = used_us();
  std::this_thread::sleep_for(time);
  return (used_us() - before) / 1e6 / static_cast<double>(time.count());
}

/// The longest time, in seconds, in which a control group was made and removed.
double longest_making() {
  Clock::duration longest{};
  for (const auto end = Clock::now() + 8s; Clock::now() < end;) {
    const auto begun = Clock::now();
    {
      const ControlGroup made("morpheus-made");
    }
    longest = std::max(longest, Clock::now() - begun);
  }
  return std::chrono::duration<double>(longest).count();
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

/// The longest time, in seconds, in which a thread that always wants the CPU had none of it.
double longest_gap(const Load& load, std::size_t thread) {
  auto had_cpu = Clock::now();
  auto used = load.seen(thread).cpu_ns;
  Clock::duration longest{};
  for (const auto end = had_cpu + 8s; Clock::now() < end;) {
    std::this_thread::sleep_for(5ms);
    const auto now = Clock::now();
    longest = std::max(longest, now - had_cpu);
    const auto before = std::exchange(used, load.seen(thread).cpu_ns);
    if (used != before) had_cpu = now;
  }
  return std::chrono::duration<double>(longest).count();
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
      [&] { return compare(daemon, [&] { return longest_gap(load, 100); }); }, is_good);
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
    bounded.take(makers.emplace_back([path] { make_and_remove(path); }).pid());
  }
  const Crowd crowd(daemon, std::vector<ThreadSpec>(20, kRival));
  bounded.take(crowd.pid());
  const auto is_good = [](const Compared<>& seen) {
    return seen.enforced < std::max(2 * seen.own, 0.25);
  };
  const auto got = measure_until([&] { return compare(daemon, longest_making); }, is_good);
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
    bounded.take(processes.emplace_back(act).pid());
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
    double gap, share;
  };
  const auto measure = [&] {
    auto share = std::async(std::launch::async, [&] { return crowd.used(500, 8); });
    const double gap = longest_gap(victim, 0);
    return Seen{gap, share.get()};
  };
  const auto is_good = [](const Compared<Seen>& seen) {
    return seen.enforced.gap < std::max(2 * seen.own.gap, 0.1) &&
           seen.enforced.share < std::max(0.15, 1.5 * seen.own.share) && seen.enforced.share > 0.05;
  };
  const auto [own, enforced] = measure_until([&] { return compare(daemon, measure); }, is_good);
  INFO("the victim's longest gap: the kernel's own " << own.gap << " s, enforced " << enforced.gap
                                                     << " s");
  INFO("the group's share: the kernel's own " << own.share << ", enforced " << enforced.share);
  CHECK(is_good({own, enforced}));
  CHECK(sched_ext_state() == "enabled");
}
