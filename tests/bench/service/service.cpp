// SPDX-License-Identifier: GPL-2.0-only
// The service under load: many clients with many workers at once, clients that are killed, bad
// inputs by number, and what a storm of calls does to others. Prints a table, or with --json one
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
#include "tests/bench/service/crowd.hpp"
#include "tests/bench/service/hostile.hpp"

using namespace morpheus;
using namespace morpheus::bench;
using Clock = std::chrono::steady_clock;

namespace {

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

double milliseconds_until_workers(DaemonUnderTest& daemon, std::uint64_t count,
                                  Clock::time_point start) {
  while (daemon.call("GetStatus").at("workers").get<std::uint64_t>() != count)
    if (Clock::now() - start > std::chrono::seconds(60))
      throw std::runtime_error("workers of a killed client stay");
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Json kill_clients(DaemonUnderTest& daemon, Crowd& crowd, const Options& options) {
  std::vector<double> times;
  std::uint64_t left = std::uint64_t{options.clients} * options.workers;
  for (unsigned i = 0; i < std::min(options.kills, options.clients); ++i) {
    const auto start = Clock::now();
    crowd.kill(i);
    left -= options.workers;
    times.push_back(milliseconds_until_workers(daemon, left, start));
  }
  std::ranges::sort(times);
  Json result{{"kills", times.size()}, {"p50", times[times.size() / 2]}, {"max", times.back()}};
  constexpr unsigned kMany = 1000;
  Crowd large(daemon.socket(), 1, kMany);
  large.register_all();
  const auto start = Clock::now();
  large.kill(0);
  result["of_1000_workers"] = milliseconds_until_workers(daemon, left, start);
  return result;
}

Json to_json(const CallTimes& times) {
  return {{"p50", times.p50}, {"p99", times.p99}, {"max", times.max}, {"calls", times.count}};
}

// The storm takes CPU from its victim by itself: compared is with the same storm on another daemon.
Json measure_storm(DaemonUnderTest& daemon, const Options& options) {
  constexpr unsigned kProcesses = 8;
  DaemonUnderTest other(Json::object(), options.backend);
  Json result;
  report_step(
      "another user's calls, in quiet and beside a storm of calls to this daemon and to another");
  result["quiet_us"] = to_json(time_calls(daemon.socket(), options.seconds / 2));
  {
    const Storm storm(other.socket(), kProcesses);
    result["storm_elsewhere_us"] = to_json(time_calls(daemon.socket(), options.seconds));
  }
  const Storm storm(daemon.socket(), kProcesses);
  const auto before = cpu_times(daemon.pid());
  result["storm_us"] = to_json(time_calls(daemon.socket(), options.seconds));
  // on a busy host the daemon itself waits for a CPU, which no order of its calls can help
  const auto after = cpu_times(daemon.pid());
  result["daemon_on_cpu_percent"] =
      static_cast<double>(after.on - before.on) / options.seconds / 1e7;
  result["daemon_waits_for_cpu_percent"] =
      static_cast<double>(after.waiting - before.waiting) / options.seconds / 1e7;
  result["storm_calls"] = storm.calls();
  result["p99_ratio"] =
      result["storm_us"]["p99"].get<double>() / result["storm_elsewhere_us"]["p99"].get<double>();
  return result;
}

/// A figure beside the most that it may be.
Json goal(const char* measure, const char* unit, const Json& value, double at_most) {
  return {{"measure", measure},
          {"unit", unit},
          {"value", value},
          {"at_most", at_most},
          {"met", value.get<double>() <= at_most}};
}

Json goals(const Json& r) {
  const auto& gone = r["client_gone_ms"];
  return {goal("memory with all clients", "KiB", r["rss_kib"]["loaded"], 32768),
          goal("memory at its most", "KiB", r["rss_kib"]["peak"], 32768),
          goal("idle CPU", "% of a core", r["idle_cpu_percent"], 0.1),
          goal("last worker of a killed client gone, worst", "ms", gone["max"], 100),
          goal("last of 1,000 workers of a killed client gone", "ms", gone["of_1000_workers"], 100),
          goal("bad inputs not survived", "", r["bad_inputs"]["survived"].get<bool>() ? 0 : 1, 0)};
}

Json measure(const Options& options) {
  DaemonUnderTest daemon(config_for(options), options.backend);
  const std::uint64_t empty_kib = status_kib(daemon.pid(), "VmRSS");
  Crowd crowd(daemon.socket(), options.clients, options.workers);
  const unsigned all = options.clients * options.workers;
  report_step(std::to_string(options.clients) + " clients with " + std::to_string(all) +
              " workers attach");
  const double took = crowd.register_all();
  Json result{{"schema_version", 2},
              {"backend", options.backend},
              {"clients", options.clients},
              {"workers", all}};
  result["registrations_per_second"] = all / took;
  std::this_thread::sleep_for(std::chrono::seconds(2));
  report_step("all are attached; idle for a while");
  const auto before = cpu_times(daemon.pid());
  std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
  result["idle_cpu_percent"] =
      static_cast<double>(cpu_times(daemon.pid()).on - before.on) / options.seconds / 1e7;
  result["rss_kib"] = {{"empty", empty_kib},
                       {"loaded", status_kib(daemon.pid(), "VmRSS")},
                       {"anonymous", status_kib(daemon.pid(), "RssAnon")},
                       {"shared", status_kib(daemon.pid(), "RssShmem")}};
  report_step("clients are killed");
  result["client_gone_ms"] = kill_clients(daemon, crowd, options);
  result["storm"] = measure_storm(daemon, options);
  report_step("bad inputs");
  const auto bad = send_bad_inputs(daemon.socket(), options.bad_inputs);
  unsigned total = 0;
  for (const auto& [kind, count] : bad) total += count;
  result["bad_inputs"] = {{"kinds", bad}, {"tried", total}};
  // the same process replies, and keeps every well-behaved client
  result["bad_inputs"]["survived"] = ::kill(daemon.pid(), 0) == 0 &&
                                     daemon.call("GetStatus").at("clients").get<unsigned>() ==
                                         options.clients - std::min(options.kills, options.clients);
  result["rss_kib"]["peak"] = status_kib(daemon.pid(), "VmHWM");
  result["goals"] = goals(result);
  result["missed"] = std::ranges::count(result["goals"], false,
                                        [](const Json& one) { return one["met"].get<bool>(); });
  return result;
}

void print(const Json& r) {
  const auto number = [&](const char* pointer) {
    return r.at(Json::json_pointer(pointer)).get<double>();
  };
  std::printf("%u clients, %u workers, backend %s\n", r["clients"].get<unsigned>(),
              r["workers"].get<unsigned>(), r["backend"].get<std::string>().c_str());
  std::printf("registrations        %.0f a second\n", number("/registrations_per_second"));
  std::printf("memory (RSS)         %.0f KiB, %.0f KiB without clients, %.0f KiB at its most\n",
              number("/rss_kib/loaded"), number("/rss_kib/empty"), number("/rss_kib/peak"));
  std::printf("idle CPU             %.3f %% of a core\n", number("/idle_cpu_percent"));
  std::printf("killed client gone   p50 %.1f ms, max %.1f ms, one of 1,000 workers %.1f ms\n",
              number("/client_gone_ms/p50"), number("/client_gone_ms/max"),
              number("/client_gone_ms/of_1000_workers"));
  std::printf(
      "another user's calls p50 / p99 / max, us: quiet %.0f / %.0f / %.0f, storm on another daemon "
      "%.0f / %.0f / %.0f,\n"
      "                     storm on this one %.0f / %.0f / %.0f (%.0f calls of the storm;\n"
      "                     the daemon was on a CPU for %.0f %% and waited for one for %.0f %% of "
      "that time)\n",
      number("/storm/quiet_us/p50"), number("/storm/quiet_us/p99"), number("/storm/quiet_us/max"),
      number("/storm/storm_elsewhere_us/p50"), number("/storm/storm_elsewhere_us/p99"),
      number("/storm/storm_elsewhere_us/max"), number("/storm/storm_us/p50"),
      number("/storm/storm_us/p99"), number("/storm/storm_us/max"), number("/storm/storm_calls"),
      number("/storm/daemon_on_cpu_percent"), number("/storm/daemon_waits_for_cpu_percent"));
  std::printf("bad inputs           %.0f tried, %s\n", number("/bad_inputs/tried"),
              r["bad_inputs"]["survived"].get<bool>() ? "all survived" : "NOT survived");
  for (const auto& one : r["goals"])
    std::printf("goal: %s at most %g %s: %s\n", one["measure"].get<std::string>().c_str(),
                one["at_most"].get<double>(), one["unit"].get<std::string>().c_str(),
                one["met"].get<bool>() ? "met" : "MISSED");
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
  app.add_flag("--json", options.json, "Print one object instead of the table");
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
    const Json result = measure(options);
    if (options.json)
      std::cout << result.dump() << '\n';
    else
      print(result);
    return result["bad_inputs"]["survived"].get<bool>() ? 0 : 70;
  } catch (const CannotStart& daemon) {
    return daemon.exit_status;
  } catch (const std::exception& error) {
    std::cerr << "service: " << error.what() << '\n';
    return 70;
  }
}
