// SPDX-License-Identifier: GPL-2.0-only
// Measures the scheduler against its promises and beside its peers, part by part.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>

#include "tests/bench/measuring/results.hpp"
#include "tests/bench/scheduler/parts.hpp"

using namespace morpheus::bench;

namespace {

bool is_wanted(const SchedulerOptions& options, const Part& part) {
  return options.parts.empty() || std::ranges::count(options.parts, part.name) > 0;
}

std::string kernel() {
  utsname system{};
  ::uname(&system);
  return system.release;
}

nlohmann::ordered_json arguments_of(const SchedulerOptions& options) {
  return {{"part", options.parts},
          {"rounds", options.rounds},
          {"seconds", options.seconds},
          {"workers", options.workers},
          {"safe_point_us", options.safe_point_us},
          {"opportunities", options.opportunities}};
}

int run(const SchedulerOptions& options) {
  Host host;
  SubjectFigures figures;
  const Bench bench{options, host, figures};
  if (!options.json)
    std::cout << "Linux " << kernel() << ", " << Host::cpus() << " CPUs"
              << (host.is_emulated() ? ", emulated" : "") << "; median (least-most) of "
              << options.rounds << " rounds of " << options.seconds << " s\n";
  for (const auto& part : kParts) {
    if (!is_wanted(options, part)) continue;
    figures.begin(part.name);
    part.measure(bench);
    if (!options.json) std::cout << '\n' << figures.table() << std::flush;
  }
  if (options.json)
    std::cout << to_json("scheduler", arguments_of(options), figures).dump() << '\n';
  else
    std::cout << '\n' << (figures.missed() == 0 ? "all goals met\n" : figures.missed_lines());
  return figures.missed() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse_scheduler_options(argc, argv);
  if (!options) return 0;
  if (::geteuid() != 0) {
    std::fprintf(stderr,
                 "scheduler: needs root to load BPF programs; ./dev bench scheduler runs it in a "
                 "virtual machine\n");
    return 77;
  }
  try {
    return run(*options);
  } catch (const CannotStart& daemon) {
    return daemon.exit_status;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "scheduler: %s\n", error.what());
    return 70;
  }
}
