// SPDX-License-Identifier: GPL-2.0-only
// What ordinary users do to have more of a CPU than their share, or to end the mode for all: what
// is left to a thread beside them that always wants the CPU, by the kernel's own class and by ours.
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/scheduler/parts.hpp"
#include "tests/programs/control_group.hpp"
#include "tests/programs/hostile.hpp"

namespace morpheus::bench {
namespace {

using namespace std::chrono_literals;
using test::Chain;
using test::compute_for;
using test::ControlGroup;
using test::Had;
using test::Load;
using test::Manner;
using test::Repeater;
using test::ThreadSpec;

constexpr double kAtLeast = 0.9;  // of the share that the kernel's own class leaves
constexpr double kAtMost = 2;     // times its longest gap
// A gap that is no longer than the hold cap, a slice and a tick is long only by chance.
constexpr double kNoGapMs = 100 + 5 + 4;
constexpr double kSettleSeconds = 1;
constexpr unsigned kCpuMaxPercent = 10;
constexpr ThreadSpec kSpinner{.manner = Manner::rival};
constexpr uid_t kNobody = 65534;

/// What the attacker's process does, on the victim's CPU.
struct Attack {
  const char* what;
  std::size_t processes;
  void (*act)();
};

void change_affinity() {
  static const cpu_set_t all = [] {
    cpu_set_t set;
    ::sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(Host::crowded_cpu(), &one);
  ::sched_setaffinity(0, sizeof one, &one);
  compute_for(2ms);
  ::sched_setaffinity(0, sizeof all, &all);
}

void change_class() {
  const sched_param none{};
  for (const int policy : {SCHED_BATCH, SCHED_OTHER, SCHED_IDLE, SCHED_OTHER}) {
    ::sched_setscheduler(0, policy, &none);
    compute_for(500us);
  }
}

void stop_and_go_on() {
  static const pid_t spinner = [] {
    const pid_t child = ::fork();
    while (child == 0) compute_for(1s);
    return child;
  }();
  ::kill(spinner, SIGSTOP);
  ::usleep(100);
  ::kill(spinner, SIGCONT);
  ::usleep(1000);
}

void execute() {
  if (const pid_t child = ::vfork(); child == 0) {
    ::execl("/bin/true", "true", nullptr);
    ::_exit(1);
  } else {
    ::waitpid(child, nullptr, 0);
  }
}

void register_and_go() {
  static const bool is_attached = morpheus_attach(nullptr) == 0;
  morpheus_thread* self = nullptr;
  if (is_attached && morpheus_worker_register(&self) == 0)
    morpheus_worker_set_state(MORPHEUS_WORKER_RUNNING);
  compute_for(500us);
  if (self != nullptr) morpheus_worker_unregister();
}

std::string made_group(int number) {
  return "/sys/fs/cgroup/morpheus-bench-delegated/" + std::to_string(number);
}
void make_and_remove(int number) {
  const std::string group = made_group(number);
  if (::mkdir(group.c_str(), 0755) == 0) ::rmdir(group.c_str());
}
/// What makers that were killed left.
void remove_made(int count) {
  for (int i = 0; i < count; ++i) ::rmdir(made_group(i).c_str());
}

constexpr std::array kAttacks{
    Attack{"2 processes change their affinity all the time", 2, change_affinity},
    Attack{"2 processes change their class all the time", 2, change_class},
    Attack{"2 processes are stopped and go on all the time", 2, stop_and_go_on},
    Attack{"2 processes execute programs all the time", 2, execute},
    Attack{"2 processes register workers all the time", 2, register_and_go},
};

/// Attackers that are threads of a load on the victim's CPU.
struct Manners {
  const char* what;
  std::vector<ThreadSpec> threads;
};

std::vector<Manners> manners() {
  return {
      {"a worker critical for 8 ms, asleep for 1 us", {{.manner = Manner::grabber}, kSpinner}},
      {"a worker that flips its consent", {{.manner = Manner::flipper, .escapable = true}}},
      {"a worker that acknowledges hints to come", {{.manner = Manner::prophet}}},
      {"2 threads that yield all the time",
       {{.manner = Manner::yielder}, {.manner = Manner::yielder}}},
      {"100 threads that wake together",
       std::vector<ThreadSpec>(100,
                               {.manner = Manner::sleeper, .sleep_us = 20'000, .work_us = 500})},
  };
}

class Reporter {
 public:
  explicit Reporter(const Bench& bench) : bench_(bench) {}

  void add(Subject subject, const std::string& what, const Had& had) {
    const double gap_ms = 1e3 * had.longest_gap_s;
    bench_.figures.add(what + ": the victim's share", "% of a CPU", subject, 100 * had.share);
    bench_.figures.add(what + ": its longest gap", "ms", subject, gap_ms);
    compare(subject, what + ": its share beside the kernel's", share_[what], had.share,
            at_least(kAtLeast));
    compare(subject, what + ": its gap beside the kernel's", gap_[what], std::max(gap_ms, kNoGapMs),
            at_most(kAtMost));
  }
  void add_only_gap(Subject subject, const std::string& what, double gap_s) {
    const double gap_ms = 1e3 * gap_s;
    bench_.figures.add(what, "ms", subject, gap_ms);
    compare(subject, what + ", beside the kernel's", gap_[what], std::max(gap_ms, kNoGapMs),
            at_most(kAtMost));
  }

 private:
  void compare(Subject subject, const std::string& what, double& kernels, double value, Goal goal) {
    if (subject == Subject::kernel)
      kernels = value;
    else
      bench_.figures.add(what, "times", subject, value / kernels, goal);
  }

  const Bench& bench_;
  std::map<std::string, double> share_;  // the kernel's, in this round
  std::map<std::string, double> gap_;
};

class Round {
 public:
  Round(const Bench& bench, Subject subject, Reporter& reporter)
      : bench_(bench), subject_(subject), reporter_(reporter) {}

  void play() {
    for (const auto& [what, threads] : manners()) beside_threads(what, threads);
    for (const auto& attack : kAttacks) beside_processes(attack);
    beside_chain();
    beside_crowd();
    if (!ControlGroup::can_be_made()) return bench_.figures.skip("there is no cgroup v2 here");
    beside_group();
    beside_bounded_crowd();
    beside_delegated_groups();
    making_beside_bounded();
  }

 private:
  [[nodiscard]] const std::string& socket() const { return bench_.host.socket(); }
  [[nodiscard]] Load on_cpu(std::vector<ThreadSpec> threads) const {
    return {socket(), Host::crowded_cpu(), std::move(threads), nullptr};
  }
  /// `load` has the victim last.
  void watch(const std::string& what, const Load& load) {
    std::this_thread::sleep_for(std::chrono::duration<double>(kSettleSeconds));
    reporter_.add(subject_, what, test::watch(load, load.size() - 1, time()));
  }
  [[nodiscard]] std::chrono::duration<double> time() const {
    return std::chrono::duration<double>(2 * bench_.options.seconds);
  }

  void beside_threads(const std::string& what, std::vector<ThreadSpec> threads) {
    threads.push_back(kSpinner);
    watch(what, on_cpu(std::move(threads)));
  }
  void beside_processes(const Attack& attack) {
    ::setenv("MORPHEUS_SOCKET", socket().c_str(), 1);
    std::deque<Repeater> attackers;
    for (std::size_t i = 0; i < attack.processes; ++i)
      attackers.emplace_back(attack.act, Repeater::As::user,
                             attack.act == change_affinity ? Load::kAnyCpu : Host::crowded_cpu());
    watch(attack.what, on_cpu({kSpinner}));
  }
  void beside_chain() {
    const Load victim(socket(), Load::kAnyCpu, {kSpinner}, nullptr);
    const Chain chain;
    watch("processes that each start the next, on all CPUs", victim);
  }
  void beside_crowd() {
    const Load crowd = on_cpu(std::vector<ThreadSpec>(600, kSpinner));
    const Load victim(socket(), Load::kEachCpu, {kSpinner}, nullptr);  // on another CPU
    watch("600 threads on another CPU", victim);
  }
  void beside_group() {
    const ControlGroup ours("morpheus-bench-one");
    const ControlGroup theirs("morpheus-bench-many");
    const Load many = on_cpu(std::vector<ThreadSpec>(20, kSpinner));
    const Load one = on_cpu({kSpinner});
    theirs.take(many.pid());
    ours.take(one.pid());
    watch("20 threads in a group of equal weight", one);
  }
  void beside_bounded_crowd() {
    const ControlGroup bounded("morpheus-bench-bounded");
    bounded.write("cpu.max", std::to_string(kCpuMaxPercent * 1000) + " 100000");
    const Load crowd = on_cpu(std::vector<ThreadSpec>(600, kSpinner));
    const Load victim = on_cpu({kSpinner});
    bounded.take(crowd.pid());
    const std::string what = "600 threads in a group with cpu.max 10 %";
    watch(what, victim);
    bench_.figures.add(what + ": the group's use", "% of a CPU", subject_,
                       100 * test::share_of(bounded, time()));
  }
  void beside_delegated_groups() {
    const ControlGroup delegated("morpheus-bench-delegated");
    delegated.give_to(kNobody);
    delegated.write("cgroup.subtree_control", "+cpu");
    {
      const Repeater maker([] { make_and_remove(0); }, Repeater::As::user, Host::crowded_cpu());
      watch("a process that makes control groups all the time", on_cpu({kSpinner}));
    }
    remove_made(1);
  }
  void making_beside_bounded() {
    const ControlGroup delegated("morpheus-bench-delegated");
    const ControlGroup bounded("morpheus-bench-bounded");
    delegated.give_to(kNobody);
    bounded.write("cpu.max", std::to_string(kCpuMaxPercent * 1000) + " 100000");
    std::deque<Repeater> makers;
    for (int i = 0; i < 4; ++i)
      bounded.take(makers.emplace_back([i] { make_and_remove(i); }, Repeater::As::user).pid());
    const Load crowd = on_cpu(std::vector<ThreadSpec>(20, kSpinner));
    bounded.take(crowd.pid());
    std::this_thread::sleep_for(std::chrono::duration<double>(kSettleSeconds));
    reporter_.add_only_gap(subject_,
                           "4 processes that make control groups in one with cpu.max 10 %: making "
                           "one outside, the longest time",
                           test::longest_making(time()));
    makers.clear();
    remove_made(4);
  }

  const Bench& bench_;
  Subject subject_;
  Reporter& reporter_;
};

}  // namespace

void measure_strangers(const Bench& bench) {
  Reporter reporter(bench);
  bench.each_round(bench.possible({Subject::kernel, Subject::enforced}),
                   [&](Subject subject) { Round(bench, subject, reporter).play(); });
}

}  // namespace morpheus::bench
