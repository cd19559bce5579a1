// SPDX-License-Identifier: GPL-2.0-only
// The service under load: many clients with many workers at once, clients that are killed, bad
// inputs by number, and what a storm of calls does to others. Prints tables, or with --json one
// object.
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "proto/json.hpp"
#include "tests/bench/measuring/daemon_under_test.hpp"
#include "tests/bench/measuring/figures.hpp"
#include "tests/bench/measuring/results.hpp"
#include "tests/bench/service/crowd.hpp"
#include "tests/bench/service/hostile.hpp"

using namespace morpheus;
using namespace morpheus::bench;
using Clock = std::chrono::steady_clock;

namespace {

constexpr const char* kSubject = "morpheusd";
constexpr double kMostKib = 32768;
constexpr double kMostIdlePercent = 0.1;
constexpr double kMostMsUntilGone = 100;

struct Options {
  unsigned clients = 1000, workers = 10, kills = 20, bad_inputs = 1000;
  double seconds = 10;
  std::string backend = "bpf";
  bool json = false;
};

void report_step(const std::string& what) {
  std::cerr << "service: " << what << " ..." << std::endl;
}

Json config_for(const Options& options) {
  const unsigned all = options.clients * options.workers + 2000;
  return {{"limits",
           {{"connections", options.clients + 200},
            {"connections_per_uid", options.clients + 100},
            {"workers", std::min(all, 16383u)},
            {"workers_per_uid", std::min(all, 16383u)},
            {"memory_kib_per_uid", 65536}}}};
}

std::uint64_t status_kib(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key + ":")) return std::stoull(line.substr(key.size() + 1));
  return 0;
}

// Nanoseconds on a CPU and waiting for one, of all threads.
struct CpuTimes {
  std::uint64_t on = 0, waiting = 0;
};

CpuTimes cpu_times(pid_t pid) {
  CpuTimes all;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    CpuTimes times;
    std::ifstream(task.path() / "schedstat") >> times.on >> times.waiting;
    all.on += times.on;
    all.waiting += times.waiting;
  }
  return all;
}

double percent(std::uint64_t ns, double seconds) { return static_cast<double>(ns) / seconds / 1e7; }

double milliseconds_until_workers(DaemonUnderTest& daemon, std::uint64_t count,
                                  Clock::time_point start) {
  while (daemon.call("GetStatus").at("workers").get<std::uint64_t>() != count)
    if (Clock::now() - start > std::chrono::seconds(60))
      throw std::runtime_error("workers of a killed client stay");
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void kill_clients(DaemonUnderTest& daemon, Crowd& crowd, const Options& options, Figures& figures) {
  const auto goal = always(at_most(kMostMsUntilGone));
  std::uint64_t left = std::uint64_t{options.clients} * options.workers;
  for (unsigned i = 0; i < options.kills; ++i) {
    const auto start = Clock::now();
    crowd.kill(i);
    left -= options.workers;
    figures.add("until the last worker of a client is gone", "ms", kSubject,
                milliseconds_until_workers(daemon, left, start), goal);
  }
  constexpr unsigned kMany = 1000;
  Crowd large(daemon.socket(), 1, kMany);
  large.register_all();
  const auto start = Clock::now();
  large.kill(0);
  figures.add("until the last of 1,000 workers of a client is gone", "ms", kSubject,
              milliseconds_until_workers(daemon, left, start), goal);
}

void add_calls(Figures& figures, const std::string& variant, const CallTimes& times) {
  const auto add = [&](const char* what, const char* unit, double value) {
    figures.add(what, unit, kSubject, value, std::nullopt, variant);
  };
  add("another user's call, p50", "us", times.p50);
  add("another user's call, p99", "us", times.p99);
  add("another user's call, max", "us", times.max);
  add("another user's calls", "count", static_cast<double>(times.count));
}

// The storm takes CPU from its victim by itself: compared is with the same storm on another daemon.
void measure_storm(DaemonUnderTest& daemon, const Options& options, Figures& figures) {
  constexpr unsigned kProcesses = 8;
  DaemonUnderTest other(Json::object(), options.backend);
  report_step(
      "another user's calls, in quiet and beside a storm of calls to this daemon and to another");
  add_calls(figures, "in quiet", time_calls(daemon.socket(), options.seconds / 2));
  CallTimes elsewhere;
  {
    const Storm storm(other.socket(), kProcesses);
    elsewhere = time_calls(daemon.socket(), options.seconds);
  }
  add_calls(figures, "storm on another daemon", elsewhere);
  const Storm storm(daemon.socket(), kProcesses);
  const auto before = cpu_times(daemon.pid());
  const auto here = time_calls(daemon.socket(), options.seconds);
  // on a busy host the daemon itself waits for a CPU, which no order of its calls can help
  const auto after = cpu_times(daemon.pid());
  add_calls(figures, "storm on this daemon", here);
  figures.add("p99, times that of a storm on another daemon", "x", kSubject,
              here.p99 / elsewhere.p99);
  figures.add("the daemon's time on a CPU in the storm", "%", kSubject,
              percent(after.on - before.on, options.seconds));
  figures.add("the daemon's time waiting for a CPU in the storm", "%", kSubject,
              percent(after.waiting - before.waiting, options.seconds));
  figures.add("the storm's calls", "count", kSubject, static_cast<double>(storm.calls()));
}

void measure_idle(DaemonUnderTest& daemon, const Options& options, Figures& figures) {
  std::this_thread::sleep_for(std::chrono::seconds(2));
  report_step("all are attached; idle for a while");
  const auto before = cpu_times(daemon.pid());
  std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
  figures.add("CPU while all are idle", "% of a core", kSubject,
              percent(cpu_times(daemon.pid()).on - before.on, options.seconds),
              at_most(kMostIdlePercent));
}

void add_memory(DaemonUnderTest& daemon, const std::string& what, const std::string& key,
                Figures& figures, std::optional<Goal> goal = std::nullopt) {
  figures.add("memory, " + what, "KiB", kSubject,
              static_cast<double>(status_kib(daemon.pid(), key)), goal);
}

/// Whether the same process still replies, and has kept every well-behaved client.
bool send_inputs(DaemonUnderTest& daemon, const Options& options, Figures& figures) {
  for (const auto& [kind, count] : send_bad_inputs(daemon.socket(), options.bad_inputs))
    figures.add("tried", "count", kSubject, count, std::nullopt, kind);
  const bool survived =
      ::kill(daemon.pid(), 0) == 0 &&
      daemon.call("GetStatus").at("clients").get<unsigned>() == options.clients - options.kills;
  figures.add("not survived", "count", kSubject, survived ? 0 : 1, never());
  return survived;
}

/// Whether the daemon survived all of it.
bool measure(const Options& options, Figures& figures) {
  DaemonUnderTest daemon(config_for(options), options.backend);
  figures.begin("crowd");
  add_memory(daemon, "without clients", "VmRSS", figures);
  Crowd crowd(daemon.socket(), options.clients, options.workers);
  const unsigned all = options.clients * options.workers;
  report_step(std::to_string(options.clients) + " clients with " + std::to_string(all) +
              " workers attach");
  figures.add("registrations, all clients at once", "a second", kSubject,
              all / crowd.register_all());
  measure_idle(daemon, options, figures);
  add_memory(daemon, "with all clients", "VmRSS", figures, at_most(kMostKib));
  add_memory(daemon, "of it anonymous", "RssAnon", figures);
  add_memory(daemon, "of it shared", "RssShmem", figures);
  report_step("clients are killed");
  figures.begin("killed clients");
  kill_clients(daemon, crowd, options, figures);
  figures.begin("storm");
  measure_storm(daemon, options, figures);
  report_step("bad inputs");
  figures.begin("bad inputs");
  const bool survived = send_inputs(daemon, options, figures);
  figures.begin("crowd");
  add_memory(daemon, "at its most", "VmHWM", figures, at_most(kMostKib));
  return survived;
}

void print(const Options& options, Figures& figures) {
  std::cout << options.clients << " clients, " << options.clients * options.workers
            << " workers, backend " << options.backend << '\n';
  for (const char* part : {"crowd", "killed clients", "storm", "bad inputs"}) {
    figures.begin(part);
    std::cout << '\n' << figures.table();
  }
  std::cout << '\n' << (figures.missed() == 0 ? "all goals met\n" : figures.missed_lines());
}

nlohmann::ordered_json arguments_of(const Options& options) {
  return {{"clients", options.clients}, {"workers", options.workers},
          {"kills", options.kills},     {"bad_inputs", options.bad_inputs},
          {"seconds", options.seconds}, {"backend", options.backend}};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"morpheusd with many clients, under bad inputs and under a storm of calls.",
               "service"};
  app.add_option("--clients", options.clients)->check(CLI::Range(1, 4000))->capture_default_str();
  app.add_option("--workers", options.workers, "Of each client")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--kills", options.kills, "Clients that are killed, one after the other")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--bad-inputs", options.bad_inputs, "Of each kind")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Of each measurement")
      ->check(CLI::Range(1.0, 600.0))
      ->capture_default_str();
  app.add_option("--backend", options.backend)
      ->check(CLI::IsMember({"bpf", "fake"}))
      ->capture_default_str();
  app.add_flag("--json", options.json, "Print one object instead of tables");
  app.footer(
      "Exit status: 0, also where a goal is missed, 64 usage, 70 the run failed, or that of a "
      "daemon that cannot start");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ParseError& wrong) {
    std::cerr << "service: " << wrong.what() << "; see --help\n";
    return 64;
  }
  ::signal(SIGPIPE, SIG_IGN);
  try {
    options.kills = std::min(options.kills, options.clients);
    Figures figures({kSubject});
    const bool survived = measure(options, figures);
    if (options.json)
      std::cout << to_json("service", arguments_of(options), figures).dump() << '\n';
    else
      print(options, figures);
    return survived ? 0 : 70;
  } catch (const CannotStart& daemon) {
    return daemon.exit_status;
  } catch (const std::exception& error) {
    std::cerr << "service: " << error.what() << '\n';
    return 70;
  }
}
