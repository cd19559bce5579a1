// SPDX-License-Identifier: GPL-2.0-only
// How much of a crowded CPU workers get: equal ones, those of different nice values, and those in
// control groups of different weights.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <thread>

#include "tests/bench/scheduler/parts.hpp"
#include "tests/bench/scheduler/program_times.hpp"
#include "tests/programs/control_group.hpp"

namespace morpheus::bench {
namespace {

using test::ControlGroup;
using test::Load;
using test::Manner;
using test::ThreadSpec;

constexpr double kEqualPercent = 2;
constexpr double kWeightedPercent = 5;

/// A nice value with the weight that the kernel gives it (sched_prio_to_weight in
/// kernel/sched/core.c).
struct Nice {
  int value;
  double weight;
};
// as close to 4:2:1 as the table comes
constexpr std::array kNice{Nice{0, 1024}, Nice{3, 526}, Nice{6, 272}};
constexpr std::array<unsigned, 3> kGroupWeights{400, 200, 100};

/// How far the worst share is from what its weight entitles it to, in percent of that.
double worst_deviation(const std::vector<double>& times, const std::vector<double>& weights) {
  const double time = std::accumulate(times.begin(), times.end(), 0.0);
  const double weight = std::accumulate(weights.begin(), weights.end(), 0.0);
  double worst = 0;
  for (std::size_t i = 0; i < times.size(); ++i)
    worst = std::max(worst, std::abs(times[i] / time / (weights[i] / weight) - 1));
  return 100 * worst;
}

/// Whether a loaded scheduler has the callback by which the kernel reports these weights; ours
/// reads them without.
bool learns_weights(Subject subject) {
  if (subject == Subject::enforced) return true;
  const auto programs = ProgramClock::read();
  return std::ranges::any_of(
      programs, [](const auto& program) { return program.first.ends_with("cgroup_set_weight"); });
}

std::optional<Goal> goal(Subject subject, double percent) {
  return subject == Subject::enforced ? std::optional(at_most(percent)) : std::nullopt;
}

// Slices are milliseconds, so these rounds are longer than those of other parts.
double time_of(const Bench& bench) { return 2 * bench.options.seconds; }

void equal(const Bench& bench, Subject subject) {
  constexpr std::size_t kWorkers = 4;
  const Load load(bench.host.socket(), Host::crowded_cpu(), std::vector<ThreadSpec>(kWorkers),
                  nullptr);
  bench.expect_watched(subject, load, kWorkers);
  bench.figures.add("4 equal workers, farthest from a quarter", "%", subject,
                    worst_deviation(load.shares(time_of(bench)), std::vector<double>(kWorkers, 1)),
                    goal(subject, kEqualPercent));
}

void nice(const Bench& bench, Subject subject) {
  std::vector<ThreadSpec> threads;
  std::vector<double> weights;
  for (const auto& [value, weight] : kNice) {
    threads.push_back({.nice = value});
    weights.push_back(weight);
  }
  const Load load(bench.host.socket(), Host::crowded_cpu(), threads, nullptr);
  bench.expect_watched(subject, load, kNice.size());
  bench.figures.add("nice 0, 3, 6 (weights 1024:526:272), farthest from its share", "%", subject,
                    worst_deviation(load.shares(time_of(bench)), weights),
                    goal(subject, kWeightedPercent));
}

void groups(const Bench& bench, Subject subject) {
  if (!ControlGroup::can_be_made()) return bench.figures.skip("there is no cgroup v2 here");
  if (needs_sched_ext(subject) && !learns_weights(subject))
    return bench.figures.skip(std::string(name(subject)) +
                              " does not ask the kernel for the weights of control groups");
  struct Member {
    std::unique_ptr<ControlGroup> group;  // outlives the load
    std::unique_ptr<Load> load;
  };
  std::vector<Member> members;
  std::vector<double> weights;
  std::vector<double> times;
  for (const unsigned weight : kGroupWeights) {
    auto group = std::make_unique<ControlGroup>("morpheus-bench-" + std::to_string(weight));
    group->write("cpu.weight", std::to_string(weight));
    auto load = std::make_unique<Load>(bench.host.socket(), Host::crowded_cpu(),
                                       std::vector<ThreadSpec>(1), nullptr);
    group->take(load->pid());
    bench.expect_watched(subject, *load, 1);
    members.push_back({std::move(group), std::move(load)});
    weights.push_back(weight);
  }
  for (const auto& member : members)
    times.push_back(-static_cast<double>(member.load->seen(0).cpu_ns));
  std::this_thread::sleep_for(std::chrono::duration<double>(time_of(bench)));
  for (std::size_t i = 0; i < members.size(); ++i)
    times[i] += static_cast<double>(members[i].load->seen(0).cpu_ns);
  bench.figures.add("cpu.weight 400, 200, 100, farthest from its share", "%", subject,
                    worst_deviation(times, weights), goal(subject, kWeightedPercent));
}

}  // namespace

void measure_shares(const Bench& bench) {
  bench.each_round(bench.possible({Subject::kernel, Subject::enforced}), [&](Subject subject) {
    equal(bench, subject);
    nice(bench, subject);
    groups(bench, subject);
  });
}

}  // namespace morpheus::bench
