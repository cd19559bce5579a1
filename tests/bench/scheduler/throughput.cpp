// SPDX-License-Identifier: GPL-2.0-only
// A whole host's work under each scheduler: messages between many processes (hackbench), compilers
// on all CPUs, one after another as in a build, and stress-ng; each also with per-CPU kernel
// threads at work, and always beside an interactive thread. Figures are the time that the work
// takes, against the kernel's own scheduler in the same round, and how late the interactive thread
// ran.
#include <fcntl.h>
#include <glob.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/measuring/percentile.hpp"
#include "tests/bench/scheduler/parts.hpp"
#include "tests/bench/scheduler/program_times.hpp"

namespace morpheus::bench {
namespace {

constexpr double kMostSlowerPercent = 5;

/// Makes the kernel run a work item in each CPU's own kernel thread, over and over: vm.stat_refresh
/// does that to bring its counters up to date.
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

/// Waits for a moment 200 times a second, as an editor waits for a key, and notes how late it runs.
class InteractiveThread {
 public:
  InteractiveThread() : thread_([this] { wait_again_and_again(); }) {}
  InteractiveThread(const InteractiveThread&) = delete;
  InteractiveThread& operator=(const InteractiveThread&) = delete;
  ~InteractiveThread() { end(); }

  /// Ends it.
  [[nodiscard]] const std::vector<std::uint64_t>& late_ns() {
    end();
    return late_ns_;
  }

 private:
  void wait_again_and_again() {
    while (!ended_) {
      const auto due = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
      std::this_thread::sleep_until(due);
      late_ns_.push_back(
          static_cast<std::uint64_t>((std::chrono::steady_clock::now() - due).count()));
    }
  }
  void end() {
    ended_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::vector<std::uint64_t> late_ns_;
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

/// A unit of C that includes nothing.
std::string source() {
  std::string text;
  for (int i = 0; i < 8; ++i)
    text += "int f" + std::to_string(i) +
            "(int *a, int n) { int s = 0; for (int i = 0; i < n; i++) { s += a[i] * n; "
            "if (s % 7 == 3) a[i] = s; } return s; }\n";
  return text;
}

/// GCC's C compiler proper: unlike gcc it needs no further programs. "" if there is none.
std::string c_compiler() {
  ::glob_t found{};
  std::string path;
  if (::glob("/usr/lib*/gcc/*/*/cc1", 0, nullptr, &found) == 0) path = found.gl_pathv[0];
  ::globfree(&found);
  return path;
}

// Roughly, --seconds determines how much there is to do: emulated CPUs are a hundred times slower.
std::vector<Workload> workloads(const Bench& bench) {
  const double size = bench.options.seconds * (bench.host.is_emulated() ? 1 : 20);
  const auto times = [&](int each) { return std::to_string(static_cast<int>(each * size) + 1); };
  std::vector<Workload> all;
  const auto add = [&](const std::string& program, const char* package, const Workload& workload) {
    if (::access(program.c_str(), X_OK) == 0)
      all.push_back(workload);
    else
      bench.figures.skip(workload.name + ": not installed (Debian package " + package + ")");
  };
  const std::string hackbench = "/usr/bin/hackbench";
  add(hackbench, "rt-tests", {"hackbench", {{hackbench, "-g", "2", "-f", "5", "-l", times(1200)}}});
  const std::string compiler = c_compiler();
  const std::vector<std::string> job{"sh", "-c",
                                     "i=0; while [ $i -lt " + times(1) +
                                         " ]; do echo \"$1\" | \"$0\" -quiet -O2 -ffreestanding - "
                                         "-o /dev/null || exit; i=$((i + 1)); done",
                                     compiler, source()};
  add(compiler, "gcc", {"compilers", std::vector(Host::cpus(), job)});
  const std::string stress = "/usr/bin/stress-ng";
  add(stress, "stress-ng",
      {"stress-ng",
       {{stress, "--quiet", "--cpu", "1", "--cpu-ops", times(8), "--pipe", "1", "--pipe-ops",
         times(16000), "--fork", "1", "--fork-ops", times(80), "--futex", "1", "--futex-ops",
         times(1600)}}});
  return all;
}

void play(const Bench& bench, Subject subject, const Workload& workload, const std::string& name,
          Ratio& to_kernel) {
  const auto switches = context_switches();
  InteractiveThread interactive;
  const double seconds = seconds_of(workload.commands);
  const auto& late_ns = interactive.late_ns();
  for (const auto& [label, share] : {std::pair{", p50", 0.5}, {", p99", 0.99}})
    bench.figures.add(name + ", interactive thread late" + label, "us", subject,
                      percentile_us(late_ns, share));
  bench.figures.add(name, "s", subject, seconds);
  bench.figures.add(name + ", context switches", "count", subject,
                    static_cast<double>(context_switches() - switches));
  if (const auto ratio = to_kernel.of(subject, seconds))
    bench.figures.add(
        name + ", longer than the kernel", "%", subject, 100 * (1 / *ratio - 1),
        subject == Subject::enforced ? std::optional(at_most(kMostSlowerPercent)) : std::nullopt);
}

}  // namespace

void measure_throughput(const Bench& bench) {
  const auto subjects =
      bench.possible({Subject::kernel, Subject::fifo, Subject::observer, Subject::enforced});
  // Load by load, so that the runs that are compared follow each other closely: a shared host has
  // slow minutes.
  for (const auto& workload : workloads(bench)) {
    for (const bool is_disturbed : {false, true}) {
      const auto name = workload.name + (is_disturbed ? " beside kernel threads" : "");
      std::fprintf(stderr, "scheduler: throughput: %s\n", name.c_str());
      Ratio to_kernel;
      bench.each_round_alone(subjects, [&](Subject subject) {
        std::optional<KernelThreads> busy;
        if (is_disturbed) busy.emplace();
        play(bench, subject, workload, name, to_kernel);
      });
    }
  }
}

}  // namespace morpheus::bench
