// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/scheduler/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "tests/bench/scheduler/parts.hpp"

namespace morpheus::bench {
namespace {

void list_parts() {
  for (const auto& part : kParts) std::cout << part.name << '\t' << part.what << '\n';
}

}  // namespace

std::optional<SchedulerOptions> parse_scheduler_options(int argc, char** argv) {
  SchedulerOptions options;
  bool is_list = false;
  CLI::App app{
      "The scheduler from outside: the kernel's own, a minimal FIFO sched_ext scheduler, Morpheus "
      "as observer and\n"
      "Morpheus enforcing take turns on this machine, round by round, under the same loads. Needs "
      "root; only kernel\n"
      "and observer are measured where the kernel has no sched_ext.",
      "scheduler"};
  std::vector<std::string> names;
  for (const auto& part : kParts) names.emplace_back(part.name);
  app.add_option("--part", options.parts, "Only this part; may be repeated, or a list with commas")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1U, 1000U))->capture_default_str();
  app.add_option("--seconds", options.seconds, "Of each subject in each round")
      ->check(CLI::Range(0.2, 600.0))
      ->capture_default_str();
  app.add_option("--workers", options.workers, "latency: workers beside the probe")
      ->check(CLI::Range(1U, 32U))
      ->capture_default_str();
  app.add_option("--safe-point-us", options.safe_point_us, "latency: work between two safe points")
      ->check(CLI::Range(1U, 100'000U))
      ->capture_default_str();
  app.add_option("--opportunities", options.opportunities,
                 "starvation: ticks to wait for in which a worker without consent could have been "
                 "escalated")
      ->check(CLI::Range(1U, 100'000'000U))
      ->capture_default_str();
  app.add_flag("--json", options.json, "Print one object instead of tables");
  app.add_flag("--list", is_list, "List the parts");
  app.footer(
      "Exit status: 0 all goals met, 1 a goal was missed, 64 usage, 70 the run failed, or that of "
      "a daemon that\n"
      "cannot start. ./dev bench scheduler runs this in a virtual machine and takes --kernel, "
      "--smp and --native.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    app.exit(done);
    return std::nullopt;
  } catch (const CLI::ParseError& wrong) {
    std::cerr << "scheduler: " << wrong.what() << "; see --help\n";
    std::exit(64);
  }
  if (!is_list) return options;
  list_parts();
  return std::nullopt;
}

}  // namespace morpheus::bench
