// SPDX-License-Identifier: GPL-2.0-only
#include "tests/programs/load.hpp"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <new>
#include <span>
#include <stdexcept>
#include <thread>

namespace morpheus::test {
namespace {

using namespace std::chrono_literals;
constexpr uid_t kNobody = 65534;
constexpr std::size_t kMaxThreads = 2048;
constexpr auto kStartLimit = 60s;  // an emulated machine under load is slow

void bind(std::size_t thread, unsigned cpu) {
  if (cpu == Load::kAnyCpu) return;
  if (cpu == Load::kEachCpu)
    cpu = static_cast<unsigned>(thread) % static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN));
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) std::_Exit(90);
}

std::vector<Match> matches(const std::vector<ThreadSpec>& threads) {
  std::vector<Match> all(threads.size());
  for (std::size_t i = 0; i + 1 < threads.size(); i += 2) {
    if (threads[i].manner != Manner::player) continue;
    std::array<int, 2> there{}, back{};
    if (::pipe(there.data()) != 0 || ::pipe(back.data()) != 0) std::_Exit(94);
    all[i] = {back[0], there[1], true};
    all[i + 1] = {there[0], back[1], false};
  }
  return all;
}

}  // namespace

struct Load::Shared {
  std::atomic<std::uint32_t> ready;
  std::atomic<bool> started;
  std::span<Account> threads;  // behind this, in the same memory
};

Load::Load(const std::string& socket, unsigned cpu, std::vector<ThreadSpec> threads,
           Witness* witness)
    : specs_(std::move(threads)), witness_(witness) {
  if (specs_.size() > kMaxThreads) throw std::runtime_error("too many threads for a load");
  void* const memory = ::mmap(nullptr, sizeof(Shared) + specs_.size() * sizeof(Account),
                              PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory for a load");
  shared_ = new (memory) Shared{};
  auto* const accounts = new (shared_ + 1) Account[specs_.size()]{};
  shared_->threads = {accounts, specs_.size()};
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork a load");
  if (pid_ == 0) child(socket, cpu);
  try {
    await_start();
  } catch (...) {
    ::kill(pid_, SIGKILL);
    throw;
  }
  if (witness_ != nullptr) witness_->watch(static_cast<std::uint32_t>(specs_.size()));
  shared_->started = true;
}

void Load::await_start() {
  const auto limit = std::chrono::steady_clock::now() + kStartLimit;
  while (shared_->ready < specs_.size()) {
    if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("a load does not start");
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) throw std::runtime_error("a load has ended");
    std::this_thread::sleep_for(5ms);
  }
}

Load::~Load() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  if (witness_ != nullptr) witness_->clear();
  ::munmap(shared_, sizeof(Shared) + specs_.size() * sizeof(Account));
}

void Load::child(const std::string& socket, unsigned cpu) {
  if (::geteuid() == 0 &&
      (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0))
    std::_Exit(92);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after the change of user, which clears this
  morpheus_options options{};
  options.socket = socket.c_str();
  options.name = "load";
  if (const int error = morpheus_attach(&options); error != 0) {
    std::fprintf(stderr, "load: attach: %s\n", morpheus_error_text(error));
    std::_Exit(91);
  }
  const auto pipes = matches(specs_);
  std::mutex lock;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < specs_.size(); ++i)
    threads.emplace_back([&, i] { run(i, cpu, lock, pipes[i]); });
  for (auto& thread : threads) thread.join();
  std::_Exit(0);
}

// No thread burns before all have registered, which takes long beside threads that burn.
void Load::run(std::size_t index, unsigned cpu, std::mutex& lock, Match match) {
  const auto& spec = specs_[index];
  bind(index, cpu);
  if (spec.nice != 0 && ::setpriority(PRIO_PROCESS, 0, spec.nice) != 0) std::_Exit(93);
  ::prctl(PR_SET_TIMERSLACK, 1);
  Actor actor(spec, shared_->threads[index],
              witness_ == nullptr ? nullptr : &witness_->marks()[index], lock, match);
  ++shared_->ready;
  while (!shared_->started) std::this_thread::sleep_for(1ms);
  actor.act();
}

pid_t Load::tid(std::size_t thread) const { return shared_->threads[thread].tid; }
std::uint64_t Load::hints(std::size_t thread) const { return shared_->threads[thread].hints; }
std::uint64_t Load::safe_points(std::size_t thread) const {
  return shared_->threads[thread].safe_points;
}
sim::Histogram Load::times(std::size_t thread) const { return shared_->threads[thread].times; }
std::uint64_t Load::last_escalation_ns(std::size_t thread) const {
  return shared_->threads[thread].last_escalation_ns;
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

double Load::used(std::size_t threads, double seconds) const {
  const auto sum = [&] {
    std::uint64_t ns = 0;
    for (std::size_t i = 0; i < threads; ++i) ns += seen(i).cpu_ns;
    return ns;
  };
  const auto start = std::chrono::steady_clock::now();
  const auto before = sum();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const auto after = sum();
  const std::chrono::duration<double, std::nano> passed = std::chrono::steady_clock::now() - start;
  return static_cast<double>(after - before) / passed.count();
}

}  // namespace morpheus::test
