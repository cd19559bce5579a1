// SPDX-License-Identifier: GPL-2.0-only
// sim: runs the BPF programs on a simulated machine under a random schedule, and checks every
// decision.
#include <exception>
#include <iostream>

#include "tests/sim/options.hpp"
#include "tests/sim/report.hpp"
#include "tests/sim/scale.hpp"

namespace {

/// A mutant must break its rule with one of the seeds.
int expect_violation(const morpheus::sim::Options& options) {
  auto config = options.config;
  for (std::uint32_t i = 0; i < options.seeds; ++i, ++config.seed) {
    const auto run = morpheus::sim::simulate(config);
    if (!run.violation) continue;
    std::cout << "seed " << config.seed << ": " << run.violation->what();
    return run.violation->rule == options.expect ? 0 : 1;
  }
  std::cout << "no rule was broken, expected '" << options.expect << "'\n";
  return 1;
}

int simulate_all(const morpheus::sim::Options& options) {
  auto config = options.config;
  for (std::uint32_t i = 0; i < options.seeds; ++i, ++config.seed) {
    const auto run = morpheus::sim::simulate(config);
    if (run.violation) {
      std::cerr << "sim: " << run.violation->what();
      return 1;
    }
    morpheus::sim::print(run, options.json);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = morpheus::sim::parse_options(argc, argv);
    if (options.help) {
      std::cout << morpheus::sim::kUsage;
      return 0;
    }
    if (options.scale) return morpheus::sim::print_scale(options);
    return options.expect.empty() ? simulate_all(options) : expect_violation(options);
  } catch (const std::exception& error) {
    std::cerr << "sim: " << error.what() << "\n";
    return 64;
  }
}
