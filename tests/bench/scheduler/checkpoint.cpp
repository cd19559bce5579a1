// SPDX-License-Identifier: GPL-2.0-only
// What safe points cost a worker: the work it does in a second of CPU time with regular safe
// points, against the work it does without any, under the same scheduler, alone on its CPU and
// beside a thread that wakes there a thousand times a second; and the time of a safe point without
// a hint. The CPU time that the woken thread gets is what safe points are for, and not counted as a
// loss.
#include <morpheus/morpheus.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "proto/monotonic_clock.hpp"
#include "tests/bench/measuring/board.hpp"
#include "tests/bench/measuring/load.hpp"
#include "tests/bench/scheduler/parts.hpp"

namespace morpheus::bench {
namespace {

constexpr double kMostPercentLost = 2;
constexpr int kPairs = 25;

double ns_each(std::uint64_t steps, auto step) {
  std::uint64_t best = std::numeric_limits<std::uint64_t>::max();
  for (int trial = 0; trial < 9; ++trial) {  // nothing disturbed the fastest one
    const auto start = morpheus::monotonic_ns();
    for (std::uint64_t i = 0; i < steps; ++i) step();
    best = std::min(best, morpheus::monotonic_ns() - start);
  }
  return static_cast<double>(best) / static_cast<double>(steps);
}

/// The time of a checkpoint without a hint, without the loop around it.
double ns_of_checkpoint() {
  constexpr std::uint64_t kSteps = 1'000'000;
  auto here = morpheus_safepoint_get();
  const double with = ns_each(kSteps, [&] {
    __asm__ volatile("" ::: "memory");
    morpheus_checkpoint(&here);
  });
  const double without = ns_each(kSteps, [] { __asm__ volatile("" ::: "memory"); });
  return std::max(0.0, with - without);
}

/// Plays with and without safe points in pairs of short turns. What slows the machine for longer
/// than a turn slows both of a pair, and the median leaves out the pairs in which something
/// disturbed one.
class Comparison {
 public:
  Comparison(const Bench& bench, Board& board, LoadProcess& load)
      : bench_(bench), board_(board), load_(load) {}

  /// Percent of the work that is lost to safe points.
  double percent_lost(bool with_probe) {
    std::vector<double> kept;
    for (int pair = 0; pair < kPairs; ++pair) {
      const bool with_first = pair % 2 == 0;
      const double first = work_a_cpu_second(with_first, with_probe);
      const double second = work_a_cpu_second(!with_first, with_probe);
      kept.push_back(with_first ? first / second : second / first);
    }
    std::ranges::nth_element(kept, kept.begin() + kPairs / 2);
    return 100 * (1 - kept[kPairs / 2]);
  }

 private:
  double work_a_cpu_second(bool with_safe_points, bool with_probe) {
    const auto still_alive = [&] { load_.expect_alive(); };
    board_.prepare({0, with_safe_points ? AtSafePoint::heed : AtSafePoint::nothing, with_probe},
                   still_alive);
    const auto work = board_.total(0).work;
    const double cpu = worker_cpu_seconds();
    board_.run();
    std::this_thread::sleep_for(std::chrono::duration<double>(bench_.options.seconds / kPairs));
    board_.finish(still_alive);
    return static_cast<double>(board_.total(0).work - work) / (worker_cpu_seconds() - cpu);
  }

  double worker_cpu_seconds() {
    double ns = 0;
    std::ifstream("/proc/" + std::to_string(load_.pid()) + "/task/" +
                  std::to_string(board_.mark(1).tid) + "/schedstat") >>
        ns;
    return ns / 1e9;
  }

  const Bench& bench_;
  Board& board_;
  LoadProcess& load_;
};

}  // namespace

void measure_checkpoint(const Bench& bench) {
  constexpr unsigned kWorkers = 1;
  Board& board = *Board::create(kWorkers, 1, 1, nullptr);
  LoadProcess load(board, {static_cast<int>(Host::crowded_cpu()), bench.options.safe_point_us,
                           bench.host.daemon().socket()});
  Comparison comparison(bench, board, load);
  bench.each_round(bench.possible({Subject::observer, Subject::enforced}), [&](Subject subject) {
    bench.figures.add("a checkpoint without a hint", "ns", subject, ns_of_checkpoint());
    // Each acknowledged hint is a switch, and an emulated one takes as long as a hundred real ones.
    for (const bool with_waiter : {false, true})
      bench.figures.add(std::string("work lost to a safe point every ") +
                            std::to_string(bench.options.safe_point_us) + " us" +
                            (with_waiter ? ", beside a probe" : ""),
                        "%", subject, comparison.percent_lost(with_waiter),
                        with_waiter && bench.host.is_emulated()
                            ? std::nullopt
                            : std::optional(at_most(kMostPercentLost)));
  });
}

}  // namespace morpheus::bench
