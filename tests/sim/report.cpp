// SPDX-License-Identifier: GPL-2.0-only
#include "tests/sim/report.hpp"

#include <ctime>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/sim/machine.hpp"

namespace morpheus::sim {
namespace {

double cpu_clock() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

nlohmann::ordered_json quantiles(const Histogram& h) {
  return {{"count", h.count()},
          {"p50_ns", h.quantile(500)},
          {"p99_ns", h.quantile(990)},
          {"max_ns", h.max()}};
}

nlohmann::ordered_json to_json(const Run& run) {
  const auto& f = run.figures;
  return {{"seed", run.config.seed},
          {"cpus", run.config.cpus},
          {"workers", run.config.workers},
          {"ordinary", run.config.ordinary},
          {"simulated_ns", run.simulated_ns},
          {"cpu_seconds", run.cpu_seconds},
          {"decisions", f.decisions},
          {"decisions_hint", f.hint_decisions},
          {"decisions_slice", f.slice_decisions},
          {"decisions_gate", f.gate_decisions},
          {"events", f.events},
          {"hints", f.hints},
          {"acknowledged", f.acknowledged},
          {"withdrawn", f.withdrawn},
          {"lost", f.lost},
          {"escalations", f.escalations},
          {"hinted_by_ghost", f.hinted_by_ghost},
          {"hinted_asleep", f.hinted_asleep},
          {"escalated_for_nobody", f.escalated_for_nobody},
          {"blocked", f.blocked},
          {"deferrals", f.deferrals},
          {"overruns", f.overruns},
          {"critical_lost_after_cap", f.critical_lost},
          {"yields", f.yields},
          {"yields_for_nobody", f.idle_yields},
          {"longest_wait_ns", f.longest_wait_ns},
          {"wake_to_run", quantiles(f.wake_to_run)},
          {"hint_to_acknowledgement", quantiles(f.hint_to_ack)},
          {"digest", run.digest}};
}

}  // namespace

Run simulate(const Config& config) {
  Run run;
  run.config = config;
  const auto machine = std::make_unique<Machine>(config);
  const auto started = cpu_clock();
  const auto began = machine->now();
  try {
    machine->run();
  } catch (const Violation& violation) {
    run.violation = violation;
  }
  run.cpu_seconds = cpu_clock() - started;
  run.simulated_ns = machine->now() - began;
  run.figures = machine->checker().figures();
  run.digest = machine->digest();
  for (const auto& t : machine->threads()) run.ran_ns.push_back(t.total_ran);
  return run;
}

void print(const Run& run, bool json) {
  const auto report = to_json(run);
  if (json) {
    std::cout << report.dump() << "\n";
    return;
  }
  for (const auto& [name, value] : report.items()) std::cout << name << " " << value.dump() << "\n";
}

}  // namespace morpheus::sim
