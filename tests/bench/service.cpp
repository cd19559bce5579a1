// SPDX-License-Identifier: GPL-2.0-only
// The service under load: many clients with many workers at once, clients that are killed, bad inputs by number, and
// what a storm of calls does to others. Prints a table, or with --json one object.
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
#include "tests/bench/crowd.hpp"
#include "tests/bench/daemon_under_test.hpp"
#include "tests/bench/hostile.hpp"

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

// Nanoseconds on a CPU, of all threads.
std::uint64_t cpu_ns(pid_t pid) {
  std::uint64_t all = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::uint64_t ns = 0;
    std::ifstream(task.path() / "schedstat") >> ns;
    all += ns;
  }
  return all;
}

double milliseconds_until_workers(DaemonUnderTest& daemon, std::uint64_t count, Clock::time_point start) {
  while (daemon.call("GetStatus").at("workers").get<std::uint64_t>() != count)
    if (Clock::now() - start > std::chrono::seconds(60)) throw std::runtime_error("workers of a killed client stay");
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
  Json result{{"kills", times.size()}, {"goal", 100}, {"p50", times[times.size() / 2]}, {"max", times.back()}};
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
  result["quiet_us"] = to_json(time_calls(daemon.socket(), options.seconds / 2));
  {
    const Storm storm(other.socket(), kProcesses);
    result["storm_elsewhere_us"] = to_json(time_calls(daemon.socket(), options.seconds));
  }
  const Storm storm(daemon.socket(), kProcesses);
  result["storm_us"] = to_json(time_calls(daemon.socket(), options.seconds));
  result["storm_calls"] = storm.calls();
  result["p99_ratio"] = result["storm_us"]["p99"].get<double>() / result["storm_elsewhere_us"]["p99"].get<double>();
  return result;
}

Json measure(const Options& options) {
  DaemonUnderTest daemon(config_for(options), options.backend);
  const std::uint64_t empty_kib = status_kib(daemon.pid(), "VmRSS");
  Crowd crowd(daemon.socket(), options.clients, options.workers);
  const double took = crowd.register_all();
  const unsigned all = options.clients * options.workers;
  Json result{{"schema_version", 1}, {"backend", options.backend}, {"clients", options.clients}, {"workers", all}};
  result["registrations_per_second"] = all / took;
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const std::uint64_t before = cpu_ns(daemon.pid());
  std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
  result["idle_cpu_percent"] = static_cast<double>(cpu_ns(daemon.pid()) - before) / options.seconds / 1e7;
  result["rss_kib"] = {{"empty", empty_kib},
                       {"loaded", status_kib(daemon.pid(), "VmRSS")},
                       {"anonymous", status_kib(daemon.pid(), "RssAnon")},
                       {"shared", status_kib(daemon.pid(), "RssShmem")},
                       {"goal", 32768}};
  result["client_gone_ms"] = kill_clients(daemon, crowd, options);
  result["storm"] = measure_storm(daemon, options);
  const auto bad = send_bad_inputs(daemon.socket(), options.bad_inputs);
  unsigned total = 0;
  for (const auto& [kind, count] : bad) total += count;
  result["bad_inputs"] = {{"kinds", bad}, {"tried", total}};
  // the same process answers, and keeps everybody who was well-behaved
  result["bad_inputs"]["survived"] = ::kill(daemon.pid(), 0) == 0 && daemon.call("GetStatus").at("clients").get<unsigned>() ==
                                                                         options.clients - std::min(options.kills, options.clients);
  return result;
}

void print(const Json& r) {
  const auto number = [&](const char* pointer) { return r.at(Json::json_pointer(pointer)).get<double>(); };
  std::printf("%u clients, %u workers, backend %s\n", r["clients"].get<unsigned>(), r["workers"].get<unsigned>(),
              r["backend"].get<std::string>().c_str());
  std::printf("registrations        %.0f a second\n", number("/registrations_per_second"));
  std::printf("memory (RSS)         %.0f KiB, %.0f KiB without clients (goal at most %.0f)\n", number("/rss_kib/loaded"),
              number("/rss_kib/empty"), number("/rss_kib/goal"));
  std::printf("idle CPU             %.3f %% of a core (goal 0.1)\n", number("/idle_cpu_percent"));
  std::printf("killed client gone   p50 %.1f ms, max %.1f ms, one of 1,000 workers %.1f ms (goal 100)\n",
              number("/client_gone_ms/p50"), number("/client_gone_ms/max"), number("/client_gone_ms/of_1000_workers"));
  std::printf("another user's calls p50 / p99 / max, us: quiet %.0f / %.0f / %.0f, storm on another daemon %.0f / %.0f / %.0f,\n"
              "                     storm on this one %.0f / %.0f / %.0f (%.0f calls of the storm)\n",
              number("/storm/quiet_us/p50"), number("/storm/quiet_us/p99"), number("/storm/quiet_us/max"),
              number("/storm/storm_elsewhere_us/p50"), number("/storm/storm_elsewhere_us/p99"),
              number("/storm/storm_elsewhere_us/max"), number("/storm/storm_us/p50"), number("/storm/storm_us/p99"),
              number("/storm/storm_us/max"), number("/storm/storm_calls"));
  std::printf("bad inputs           %.0f tried, %s\n", number("/bad_inputs/tried"),
              r["bad_inputs"]["survived"].get<bool>() ? "all survived" : "NOT survived");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"morpheusd with many clients, under bad inputs and under a storm of calls.", "service"};
  app.add_option("--clients", options.clients)->check(CLI::Range(1, 4000))->capture_default_str();
  app.add_option("--workers", options.workers, "Of each client")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--kills", options.kills, "Clients that are killed, one after the other")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--bad-inputs", options.bad_inputs, "Of each kind")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--seconds", options.seconds, "Of each measurement")->check(CLI::Range(1.0, 600.0))->capture_default_str();
  app.add_option("--backend", options.backend)->check(CLI::IsMember({"bpf", "fake"}))->capture_default_str();
  app.add_flag("--json", options.json, "Print one object instead of the table");
  app.footer("Exit status: 0, 64 usage, 70 the run failed, or that of a daemon that cannot start");
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
