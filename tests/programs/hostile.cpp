// SPDX-License-Identifier: GPL-2.0-only
#include "tests/programs/hostile.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "tests/bench/measuring/unprivileged.hpp"

namespace morpheus::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

void bind_to(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) ::_exit(1);
}

}  // namespace

Repeater::Repeater(const std::function<void()>& act, As as, unsigned cpu) : pid_(::fork()) {
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ != 0) return;
  ::setpgid(0, 0);
  if (as == As::user && !morpheus::bench::give_up_root()) ::_exit(1);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (cpu != Load::kAnyCpu) bind_to(cpu);
  for (;;) act();
}

Repeater::~Repeater() {
  ::setpgid(pid_, pid_);   // it may not have got there itself
  ::kill(-pid_, SIGKILL);  // with what it started
  ::waitpid(pid_, nullptr, 0);
}

Chain::Chain()
    : ends_(static_cast<std::atomic<bool>*>(::mmap(nullptr, sizeof(*ends_), PROT_READ | PROT_WRITE,
                                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
  if (ends_ == MAP_FAILED) throw std::runtime_error("cannot map memory");
  const pid_t first = ::fork();
  if (first < 0) throw std::runtime_error("cannot fork");
  if (first == 0) run();
}

Chain::~Chain() {
  *ends_ = true;
  std::this_thread::sleep_for(500ms);  // the last one may not have seen it yet
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  ::munmap(ends_, sizeof(*ends_));
}

void Chain::run() {
  if (!morpheus::bench::give_up_root()) ::_exit(1);
  ::signal(SIGCHLD, SIG_IGN);
  for (;;) {
    if (*ends_ || ::fork() != 0) break;
  }
  compute_for(3ms);
  ::_exit(0);
}

void compute_for(std::chrono::nanoseconds time) {
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
  }
}

Had watch(const Load& load, std::size_t thread, Seconds time) {
  const auto begun = Clock::now();
  auto had_cpu = begun;
  auto now = begun;
  const auto first = load.seen(thread).cpu_ns;
  auto used = first;
  Clock::duration longest{};
  while (now - begun < time) {
    std::this_thread::sleep_for(5ms);
    now = Clock::now();
    longest = std::max(longest, now - had_cpu);
    const auto before = std::exchange(used, load.seen(thread).cpu_ns);
    if (used != before) had_cpu = now;
  }
  return {static_cast<double>(used - first) / 1e9 / Seconds(now - begun).count(),
          Seconds(longest).count()};
}

double share_of(const ControlGroup& group, Seconds time) {
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
  return (used_us() - before) / 1e6 / time.count();
}

double longest_making(Seconds time) {
  Clock::duration longest{};
  for (const auto begun = Clock::now(); Clock::now() - begun < time;) {
    const auto start = Clock::now();
    {
      const ControlGroup made("morpheus-made");
    }
    longest = std::max(longest, Clock::now() - start);
  }
  return Seconds(longest).count();
}

}  // namespace morpheus::test
