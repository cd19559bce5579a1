// SPDX-License-Identifier: GPL-2.0-only
#include "tests/sim/scale.hpp"

#include <cstdio>
#include <iostream>

#include "tests/sim/report.hpp"

namespace morpheus::sim {

int print_scale(const Options& options) {
  constexpr std::uint32_t kCpus[] = {1, 4, 16, 64, 256, 1024};
  constexpr std::uint32_t kMostWorkers = 100'000;
  if (!options.json)
    std::cout
        << "workers acknowledge at safe points; 98 workers and 1 probe per CPU\n"
        << "      mode  cpus  workers   decisions  ns/decision  ns/event acknowledged in p50/p99 us"
           "  probe wakeup to run p50/p99 us\n";
  for (const bool enforced : {false, true})
    for (const auto cpus : kCpus) {
      Config config = options.config;
      config.mix = Mix::cooperative;
      config.changes = config.higher = config.pinned = false;
      config.enforced = enforced;
      config.cpus = cpus;
      config.workers = cpus == 1024 ? kMostWorkers : cpus * 98;
      config.ordinary = cpus;
      const auto run = simulate(config);
      if (run.violation) {
        std::cerr << "sim: " << run.violation->what();
        return 1;
      }
      if (options.json) {
        print(run, true);
        continue;
      }
      const auto& f = run.figures;
      const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
      std::printf("%10s %5u %8u %11lu %12.0f %9.0f %16.0f / %.0f %21.0f / %.0f\n",
                  enforced ? "enforced" : "observer", cpus, config.workers, f.decisions,
                  run.cpu_seconds * 1e9 / static_cast<double>(f.decisions),
                  run.cpu_seconds * 1e9 / static_cast<double>(f.events),
                  us(f.hint_to_ack.quantile(500)), us(f.hint_to_ack.quantile(990)),
                  us(f.wake_to_run.quantile(500)), us(f.wake_to_run.quantile(990)));
      std::fflush(stdout);
    }
  return 0;
}

}  // namespace morpheus::sim
