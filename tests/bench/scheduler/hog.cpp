// SPDX-License-Identifier: GPL-2.0-only
// How late a task runs that is due every millisecond. It shares a runtime's only thread with a task
// that hogs it between safe points, while two other programs hog that thread's CPU. While the
// thread waits for the CPU, a relief thread keeps its timers.
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>
#include <new>
#include <stdexcept>
#include <thread>

#include "tests/bench/measuring/unprivileged.hpp"
#include "tests/bench/scheduler/parts.hpp"

namespace morpheus::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using test::Load;
using test::Manner;

constexpr auto kPeriod = 1ms;
constexpr std::size_t kOtherHogs = 2;
constexpr double kMostLateUs = 800;      // on real CPUs
constexpr double kProbeTimesBetter = 1;  // where emulation hides most of it

task<> hog(std::chrono::microseconds between_safe_points) {
  for (;;) {
    const auto end = Clock::now() + between_safe_points;
    while (Clock::now() < end) {
    }
    co_await yield();
  }
}

// A late tick does not move the next: each tick that was missed counts, by how late it is.
task<> probe(sim::Histogram& lateness) {
  for (auto due = Clock::now() + kPeriod;;) {
    co_await sleep_until(due);
    for (const auto now = Clock::now(); due <= now; due += kPeriod)
      lateness.add(static_cast<std::uint64_t>((now - due).count()));
  }
}

task<> both(sim::Histogram& lateness, std::chrono::microseconds between_safe_points) {
  scope tasks;
  tasks.spawn(hog(between_safe_points));
  tasks.spawn(probe(lateness));
  co_await tasks.join();
}

/// The runtime, in a process of an ordinary user. Killed at the end.
class Runtime {
 public:
  Runtime(const std::string& socket, unsigned cpu, std::chrono::microseconds between_safe_points)
      : lateness_(*new(shared_memory()) sim::Histogram), pid_(::fork()) {
    if (pid_ < 0) throw std::runtime_error("hog: cannot start a process");
    if (pid_ == 0) run(socket, cpu, between_safe_points);
    while (lateness().count() == 0) std::this_thread::sleep_for(5ms);
  }
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::munmap(&lateness_, sizeof lateness_);
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Of all ticks so far. The last samples may be there in part.
  [[nodiscard]] sim::Histogram lateness() const {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0)
      throw std::runtime_error("hog: the runtime has ended");
    return lateness_;
  }

 private:
  static void* shared_memory() {
    void* const at = ::mmap(nullptr, sizeof(sim::Histogram), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::runtime_error("hog: no memory");
    return at;
  }
  [[noreturn]] void run(const std::string& socket, unsigned cpu,
                        std::chrono::microseconds between_safe_points) {
    if (!give_up_root()) std::_Exit(92);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after the change of user, which clears this
    ::setenv("MORPHEUS_SOCKET", socket.c_str(), 1);
    runtime_options options;
    options.threads = 1;
    options.relief_threads = 1;
    options.cpus = {static_cast<int>(cpu)};
    runtime(options).run(both(lateness_, between_safe_points));
    std::_Exit(93);
  }

  sim::Histogram& lateness_;
  pid_t pid_;
};

/// The least that is possible: what is due has a thread of its own, beside a hog and the two
/// others.
double us_of_threads(const Bench& bench) {
  const Load threads(
      bench.host.socket(), Host::crowded_cpu(),
      {{.manner = Manner::rival},
       {.manner = Manner::sleeper,
        .sleep_us = static_cast<unsigned>(std::chrono::microseconds(kPeriod).count())}},
      nullptr);
  std::this_thread::sleep_for(std::chrono::duration<double>(bench.options.seconds));
  return static_cast<double>(threads.times(1).quantile(990)) / 1e3;
}

}  // namespace

void measure_hog(const Bench& bench) {
  const Load hogs(bench.host.socket(), Host::crowded_cpu(),
                  std::vector<test::ThreadSpec>(kOtherHogs, {.manner = Manner::rival}), nullptr);
  Ratio better;
  bench.each_round(
      bench.possible({Subject::kernel, Subject::fifo, Subject::observer, Subject::enforced}),
      [&](Subject subject) {
        const auto lateness = [&] {
          const Runtime runtime(bench.host.socket(), Host::crowded_cpu(),
                                std::chrono::microseconds(bench.options.safe_point_us));
          if (has_hints(subject)) (void)bench.host.daemon().counts(runtime.pid(), 1);
          std::this_thread::sleep_for(std::chrono::duration<double>(bench.options.seconds));
          return runtime.lateness();
        }();
        const auto us = [&](unsigned per_mille) {
          return static_cast<double>(lateness.quantile(per_mille)) / 1e3;
        };
        bench.figures.add("ticks", "count", subject, static_cast<double>(lateness.count()));
        bench.figures.add("how late, p50", "us", subject, us(500));
        const bool is_enforced = subject == Subject::enforced;
        const bool is_emulated = bench.host.is_emulated();
        bench.figures.add(
            "how late, p99", "us", subject, us(990),
            is_enforced && !is_emulated ? std::optional(at_most(kMostLateUs)) : std::nullopt);
        bench.figures.add("how late a thread of its own is, p99", "us", subject,
                          us_of_threads(bench));
        if (const auto ratio = better.of(subject, us(990)))
          bench.figures.add("p99, times better than the kernel", "x", subject, *ratio,
                            is_enforced && is_emulated ? std::optional(at_least(kProbeTimesBetter))
                                                       : std::nullopt);
      });
}

}  // namespace morpheus::bench
