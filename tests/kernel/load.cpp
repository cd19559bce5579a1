// SPDX-License-Identifier: GPL-2.0-only
#include "tests/kernel/load.hpp"

#include <grp.h>
#include <morpheus/morpheus.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

namespace morpheus::test {
namespace {

using namespace std::chrono_literals;
constexpr uid_t kNobody = 65534;
constexpr std::size_t kMaxThreads = 16;
constexpr auto kStartLimit = 30s;  // an emulated machine under load is slow

void bind_to(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) std::_Exit(90);
}

void must(int error, const char* what) {
  if (error == 0) return;
  std::fprintf(stderr, "load: %s: %s\n", what, morpheus_error_text(error));
  std::_Exit(91);
}

void burn(std::chrono::nanoseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

}  // namespace

struct Load::Shared {
  struct Thread {
    std::atomic<pid_t> tid;
    std::atomic<std::uint64_t> hints, last_escalation_ns, safe_points;
  };
  std::atomic<std::uint32_t> ready;
  std::array<Thread, kMaxThreads> threads;
};

Load::Load(const std::string& socket, unsigned cpu, std::vector<ThreadSpec> threads,
           Witness* witness)
    : specs_(std::move(threads)), witness_(witness) {
  REQUIRE(specs_.size() <= kMaxThreads);
  auto* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
  REQUIRE(memory != MAP_FAILED);
  shared_ = new (memory) Shared{};
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) child(socket, cpu);
  const auto limit = std::chrono::steady_clock::now() + kStartLimit;
  while (shared_->ready < specs_.size()) {
    REQUIRE(std::chrono::steady_clock::now() < limit);
    REQUIRE(::waitpid(pid_, nullptr, WNOHANG) == 0);
    std::this_thread::sleep_for(5ms);
  }
  if (witness_ != nullptr) witness_->watch(static_cast<std::uint32_t>(specs_.size()));
}

Load::~Load() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  if (witness_ != nullptr) witness_->clear();
  ::munmap(shared_, sizeof(Shared));
}

void Load::child(const std::string& socket, unsigned cpu) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::geteuid() == 0 &&
      (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0))
    std::_Exit(92);
  morpheus_options options{};
  options.socket = socket.c_str();
  options.name = "load";
  must(morpheus_attach(&options), "attach");
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < specs_.size(); ++i) threads.emplace_back([=, this] { run(i, cpu); });
  for (auto& thread : threads) thread.join();
  std::_Exit(0);
}

void Load::run(std::size_t index, unsigned cpu) {
  const auto& spec = specs_[index];
  auto& mine = shared_->threads[index];
  bind_to(cpu);
  if (spec.nice != 0 && ::setpriority(PRIO_PROCESS, 0, spec.nice) != 0) std::_Exit(93);
  ::prctl(PR_SET_TIMERSLACK, 1);

  morpheus_thread* self = nullptr;
  const bool worker = spec.manner != Manner::rival && spec.manner != Manner::sleeper;
  if (worker) {
    must(morpheus_worker_register(&self), "register");
    // before the worker may be asked: a slow machine would find it late, and not yet critical
    if (spec.manner == Manner::critical) morpheus_critical_enter(self);
    if (spec.escapable) {
      must(morpheus_set_escapable(true), "escapable");
      must(morpheus_set_policy(static_cast<morpheus_escalation_policy>(spec.policy)), "policy");
    }
    if (spec.state != MORPHEUS_WORKER_REGISTERED)
      must(morpheus_worker_set_state(MORPHEUS_WORKER_RUNNING), "running");
    if (spec.state == MORPHEUS_WORKER_QUIESCING)
      must(morpheus_worker_set_state(MORPHEUS_WORKER_QUIESCING), "quiescing");
  }
  auto* witnessed = witness_ == nullptr ? nullptr : &witness_->marks()[index];
  mine.tid = ::gettid();
  if (witnessed != nullptr) witnessed->tid = static_cast<unsigned>(::gettid());
  if (spec.manner == Manner::critical && witnessed != nullptr) witnessed->critical = 1;
  auto safe_point = morpheus_safepoint_get();
  if (worker) mine.hints = __atomic_load_n(safe_point.seq, __ATOMIC_RELAXED);
  ++shared_->ready;
  for (;;) {
    if (spec.manner == Manner::sleeper) {
      std::this_thread::sleep_for(1ms);
      burn(20us);
      continue;
    }
    burn(50us);
    if (spec.manner == Manner::cooperative) morpheus_checkpoint(&safe_point);
    ++mine.safe_points;
    morpheus_guidance guidance{};
    if (worker && morpheus_get_guidance(&guidance) == 0) {
      mine.last_escalation_ns = guidance.last_escalation_ns;
      mine.hints = __atomic_load_n(safe_point.seq, __ATOMIC_RELAXED);
    }
  }
}

pid_t Load::tid(std::size_t thread) const { return shared_->threads.at(thread).tid; }
std::uint64_t Load::hints(std::size_t thread) const { return shared_->threads.at(thread).hints; }
std::uint64_t Load::safe_points(std::size_t thread) const {
  return shared_->threads.at(thread).safe_points;
}
std::uint64_t Load::last_escalation_ns(std::size_t thread) const {
  return shared_->threads.at(thread).last_escalation_ns;
}

Seen Load::seen(std::size_t thread) const {
  const auto directory =
      "/proc/" + std::to_string(pid_) + "/task/" + std::to_string(tid(thread)) + "/";
  Seen seen;
  std::ifstream(directory + "schedstat") >> seen.cpu_ns;
  std::ifstream status(directory + "status");
  constexpr std::string_view kKey = "nonvoluntary_ctxt_switches:";
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(kKey)) seen.involuntary_switches = std::stoull(line.substr(kKey.size()));
  seen.policy = ::sched_getscheduler(tid(thread));
  return seen;
}

std::vector<double> Load::shares(double seconds) const {
  std::vector<double> used(specs_.size());
  double sum = 0;
  for (std::size_t i = 0; i < used.size(); ++i) used[i] = -static_cast<double>(seen(i).cpu_ns);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  for (std::size_t i = 0; i < used.size(); ++i)
    sum += used[i] += static_cast<double>(seen(i).cpu_ns);
  for (auto& share : used) share /= sum;
  return used;
}

}  // namespace morpheus::test
