// SPDX-License-Identifier: GPL-2.0-only
// A whole host's work under each scheduler: messages between many processes (hackbench), and as
// many jobs as CPUs that start processes and compress, as a build does; each also with per-CPU
// kernel threads at work. Told is the time it takes, against the kernel's own scheduler in the same
// round.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/scheduler/parts.hpp"
#include "tests/bench/scheduler/program_times.hpp"

namespace morpheus::bench {
namespace {

constexpr double kMostSlowerPercent = 5;
constexpr const char* kHackbench = "/usr/bin/hackbench";

/// Makes the kernel run a work item on each CPU, each in that CPU's own kernel thread, over and
/// over: what vm.stat_refresh does to bring its counters up to date.
class KernelThreads {
 public:
  KernelThreads() : thread_([this] { keep_busy(); }) {}
  KernelThreads(const KernelThreads&) = delete;
  KernelThreads& operator=(const KernelThreads&) = delete;
  ~KernelThreads() {
    ended_ = true;
    thread_.join();
  }

 private:
  void keep_busy() {
    while (!ended_) {
      const int file = ::open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);
      (void)!::write(file, "1", 1);
      ::close(file);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

pid_t start(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("throughput: cannot run " + command[0]);
  return pid;
}

double seconds_of(const std::vector<std::vector<std::string>>& commands) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<pid_t> running;
  for (const auto& command : commands) running.push_back(start(command));
  for (const pid_t pid : running) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      throw std::runtime_error("throughput: a command failed");
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Workload {
  std::string name;
  std::vector<std::vector<std::string>> commands;
};

// How much there is to do follows from --seconds, roughly: emulated CPUs are a hundred times
// slower.
std::vector<Workload> workloads(const Bench& bench) {
  const double size = bench.options.seconds * (bench.host.is_emulated() ? 1 : 20);
  std::vector<Workload> all;
  if (::access(kHackbench, X_OK) == 0)
    all.push_back({"hackbench",
                   {{kHackbench, "-g", "2", "-f", "5", "-l",
                     std::to_string(static_cast<int>(400 * size) + 1)}}});
  else
    bench.figures.skip("hackbench is not installed (Debian package rt-tests)");
  const std::string jobs = std::to_string(static_cast<int>(10 * size) + 1);
  const std::vector<std::string> job{
      "sh", "-c",
      "i=0; while [ $i -lt " + jobs +
          " ]; do head -c 65536 /proc/self/exe | gzip -c; i=$((i + 1)); done"};
  all.push_back({"processes that compress", std::vector(Host::cpus(), job)});
  return all;
}

}  // namespace

void measure_throughput(const Bench& bench) {
  const auto all = workloads(bench);
  std::map<std::string, Ratio> ratios;
  bench.each_round_alone(
      bench.possible({Subject::kernel, Subject::observer, Subject::enforced}),
      [&](Subject subject) {
        const auto play = [&](const Workload& workload, const std::string& name) {
          const auto switches = context_switches();
          const double seconds = seconds_of(workload.commands);
          bench.figures.add(name, "s", subject, seconds);
          bench.figures.add(name + ", context switches", "count", subject,
                            static_cast<double>(context_switches() - switches));
          if (const auto ratio = ratios[name].of(subject, seconds))
            bench.figures.add(
                name + ", longer than the kernel", "%", subject, 100 * (1 / *ratio - 1),
                subject == Subject::enforced ? std::optional(at_most(kMostSlowerPercent))
                                             : std::nullopt);
        };
        for (const auto& workload : all) {
          play(workload, workload.name);
          const KernelThreads busy;
          play(workload, workload.name + " beside kernel threads");
        }
      });
}

}  // namespace morpheus::bench
