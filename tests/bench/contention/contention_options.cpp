// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/contention/contention_options.hpp"

#include <sched.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

namespace morpheus::bench {
namespace {

int last_allowed_cpu() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  for (int cpu = CPU_SETSIZE - 1; cpu > 0; --cpu) {
    if (CPU_ISSET(cpu, &allowed)) return cpu;
  }
  return 0;
}

}  // namespace

std::optional<ContentionOptions> parse_contention_options(int argc, char** argv) {
  ContentionOptions options;
  CLI::App app{
      "CPU-bound workers beside a 1 kHz latency probe on one CPU, the same load three times:\n"
      "the kernel alone, yielding at every safe point, Morpheus."};
  app.add_option("--mode", options.mode, "What the daemon may do while Morpheus' rounds run")
      ->check(CLI::IsMember({"observer", "enforced"}))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Of each variant, in rounds of one second")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_option("--workers", options.workers)
      ->check(CLI::Range(1U, kMostWorkers))
      ->capture_default_str();
  app.add_option("--safe-point-us", options.safe_point_us, "Work between two safe points")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--cpu", options.cpu, "Where all of it runs [the last one]");
  app.add_option("--tunable", options.tunables,
                 "NAME=NANOSECONDS, such as grace_ns=2000000; may be repeated")
      ->check([](const std::string& text) {
        const auto equals = text.find('=');
        const bool good = equals != std::string::npos && equals > 0 && equals + 1 < text.size() &&
                          text.find_first_not_of("0123456789", equals + 1) == std::string::npos;
        return good ? std::string() : "write for example grace_ns=2000000";
      });
  app.add_option("--trace", options.trace,
                 "Record half a second of Morpheus' first round into this file");
  app.add_flag("--json", options.json, "Print one object instead of the table");
  app.add_flag("--probe-native", options.probe_native,
               "Only start the daemon and stop it again; its exit status says whether it can run");
  app.footer("Exit status: 0, 64 usage, 70 the run failed, or that of a daemon that cannot start");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    app.exit(done);
    return std::nullopt;
  } catch (const CLI::ParseError& wrong) {
    std::cerr << "contention: " << wrong.what() << "; see --help\n";
    std::exit(64);
  }
  if (options.cpu < 0) options.cpu = last_allowed_cpu();
  return options;
}

}  // namespace morpheus::bench
