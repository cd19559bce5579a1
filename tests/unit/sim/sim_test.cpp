// SPDX-License-Identifier: GPL-2.0-only
// Ten million decisions of the BPF programs on many small machines, each checked as it is made.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/sim/report.hpp"

using namespace morpheus::sim;

namespace {

Run run_clean(const Config& config) {
  auto run = simulate(config);
  INFO("seed " << config.seed << (run.violation ? run.violation->what() : ""));
  CHECK_FALSE(run.violation.has_value());
  return run;
}

struct Shape {
  std::uint32_t cpus, workers, ordinary, llcs = 1;
};

Config steady(Mix mix, bool enforced, std::uint32_t cpus, std::uint32_t workers) {
  Config config;
  config.mix = mix;
  config.enforced = enforced;
  config.cpus = cpus;
  config.workers = workers;
  config.ordinary = 0;
  config.changes = config.pinned = config.higher = false;
  return config;
}

/// How far, at most, a thread's CPU time is from what its weight entitles it to; a fraction of
/// that.
double worst_share(const Run& run, const std::vector<double>& weights) {
  const double all = std::accumulate(run.ran_ns.begin(), run.ran_ns.end(), 0.0);
  const double weight = std::accumulate(weights.begin(), weights.end(), 0.0);
  double worst = 0;
  for (std::size_t i = 0; i < weights.size(); ++i)
    worst = std::max(
        worst, std::abs(static_cast<double>(run.ran_ns[i]) * weight / (all * weights[i]) - 1));
  return worst;
}

}  // namespace

TEST_CASE("sim: ten million decisions break no rule") {
  constexpr Shape kShapes[] = {{1, 3, 3},   {1, 8, 6},     {2, 5, 4},      {4, 3, 4},
                               {4, 24, 12}, {8, 8, 12, 2}, {16, 40, 24, 4}};
  std::uint64_t decisions = 0, escalations = 0, overruns = 0, withdrawn = 0, seed = 1000;
  for (const auto mix : {Mix::everything, Mix::cooperative, Mix::hostile})
    for (const bool enforced : {false, true})
      for (const auto& shape : kShapes) {
        Config config;
        config.seed = ++seed;
        config.mix = mix;
        config.enforced = enforced;
        config.cpus = shape.cpus;
        config.workers = shape.workers;
        config.ordinary = shape.ordinary;
        config.llcs = shape.llcs;
        config.decisions = 250'000;
        const auto run = run_clean(config);
        decisions += run.figures.decisions;
        escalations += run.figures.escalations;
        overruns += run.figures.overruns;
        withdrawn += run.figures.withdrawn;
      }
  CHECK(decisions >= 10'000'000);
  CHECK(escalations > 1000);  // the schedules reach what they should test
  CHECK(overruns > 100);
  CHECK(withdrawn > 100'000);
}

TEST_CASE("sim: a seed reproduces its run exactly") {
  Config config;
  config.enforced = true;
  config.seed = GENERATE(3u, 77u);
  config.decisions = 50'000;
  const auto first = run_clean(config), second = run_clean(config);
  CHECK(first.digest == second.digest);
  CHECK(first.simulated_ns == second.simulated_ns);
  config.seed = 4;
  CHECK(run_clean(config).digest != first.digest);
}

TEST_CASE("sim: where nobody waits, execution is the same with and without Morpheus") {
  auto config = steady(Mix::alone, false, 4, 4);
  config.decisions = ~0ull;
  config.horizon_ns = 5 * kSecond;
  const auto observed = run_clean(config);
  config.enforced = true;
  const auto enforced = run_clean(config);
  config.programs = config.enforced = false;
  const auto bare = run_clean(config);
  CHECK(observed.figures.hints == 0);
  CHECK(enforced.figures.hints == 0);
  CHECK(enforced.figures.escalations == 0);
  CHECK(observed.digest == bare.digest);
  CHECK(enforced.digest == bare.digest);
}

TEST_CASE("sim: threads and groups get shares by their weights") {
  const auto mix = GENERATE(Mix::equal, Mix::weighted, Mix::grouped);
  auto config = steady(mix, true, 2, 9);
  config.decisions = ~0ull;
  config.horizon_ns = 120 * kSecond;
  std::vector<double> weights(9, 1.0);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (mix == Mix::weighted) weights[i] = 1u << (i % 3);
    if (mix == Mix::grouped) weights[i] = i < 2 ? 7 : 2;  // two threads have as much as seven
  }
  CHECK(worst_share(run_clean(config), weights) < (mix == Mix::equal ? 0.02 : 0.05));
}

TEST_CASE("sim: the lightest thread waits for twelve seconds and a round, no longer") {
  auto config = steady(Mix::light, true, 1, 7);
  config.decisions = ~0ull;
  config.horizon_ns = 120 * kSecond;
  const auto longest = run_clean(config).figures.longest_wait_ns;  // 30 s by its weight alone
  CHECK(longest > 5 * kSecond);
  CHECK(longest < 13 * kSecond);
}

TEST_CASE(
    "sim: a thread bound to one CPU waits its turn beside a crowd that may run anywhere, and no "
    "longer") {
  auto config = steady(Mix::equal, true, 2, 4);
  config.ordinary = 3;
  config.pinned = true;
  config.decisions = 200'000;
  for (config.seed = 1; config.seed <= 6; ++config.seed)
    CHECK(run_clean(config).figures.longest_wait_ns < 100 * kMs);
}

TEST_CASE(
    "sim: threads that wake all the time do not use up the turns of those bound to their CPU") {
  auto config = steady(Mix::cooperative, true, 4, 24);
  config.ordinary = 12;
  config.pinned = config.higher = true;
  config.decisions = 100'000;
  std::vector<std::uint64_t> longest;
  for (config.seed = 1; config.seed <= 21; ++config.seed)
    longest.push_back(run_clean(config).figures.longest_wait_ns);
  std::ranges::sort(longest);
  INFO("median " << longest[10] / kMs << " ms, longest " << longest.back() / kMs << " ms");
  CHECK(longest[10] < 150 * kMs);
  CHECK(longest.back() < 400 * kMs);  // at most 330 ms in 90 seeds; 1.6 s if they do use them up
}

TEST_CASE("sim: slices shorter than a tick leave neither of a CPU's queues behind") {
  auto config = steady(GENERATE(Mix::equal, Mix::cooperative), true, 2, 8);
  config.pinned = true;
  config.tunables.slice_ns = config.tunables.grace_ns = 100'000;
  config.decisions = 30'000;
  for (config.seed = 1; config.seed <= 12; ++config.seed)
    CHECK(run_clean(config).figures.longest_wait_ns < 20 * kMs);  // 1.4 s if they are left behind
}
