// SPDX-License-Identifier: GPL-2.0-only
// How long a thread that wakes a thousand times a second waits beside CPU-bound cooperative workers
// on the same CPU, and how often those lose the CPU inside a critical section, and to which
// threads. An independent tracing program counts.
#include <cmath>
#include <stdexcept>
#include <thread>

#include "tests/bench/measuring/board.hpp"
#include "tests/bench/measuring/load.hpp"
#include "tests/bench/measuring/percentile.hpp"
#include "tests/bench/measuring/testimony.hpp"
#include "tests/bench/scheduler/parts.hpp"

namespace morpheus::bench {
namespace {

constexpr double kTimesBetterEnforced = 3;   // also where emulation hides most of it
constexpr double kTimesBetterObserver = 20;  // on real CPUs
constexpr double kPassedP99 = 1;
constexpr double kPassedP999 = 2;

class LatencyReporter {
 public:
  LatencyReporter(const Bench& bench, Board& board)
      : figures_(bench.figures), is_emulated_(bench.host.is_emulated()), board_(board) {}

  void add(Subject subject, std::size_t column, const Testimony& seen) {
    const bool is_enforced = subject == Subject::enforced;
    add_times(subject, board_.lateness(column));
    figures_.add("safe points passed before the probe ran, p99", "count", subject,
                 count(seen.passed_p99),
                 is_enforced ? std::optional(at_most(kPassedP99)) : std::nullopt);
    figures_.add("the same, p99.9", "count", subject, count(seen.passed_p999),
                 is_enforced ? std::optional(at_most(kPassedP999)) : std::nullopt);
    const Tally done = board_.total(column);
    const double sections = static_cast<double>(done.work) / 2;  // every second unit is one
    const auto per_million = [&](std::uint64_t losses) { return count(losses) / sections * 1e6; };
    figures_.add("CPU lost inside 10^6 critical sections, own class", "count", subject,
                 per_million(seen.critical_losses),
                 is_enforced ? std::optional(never()) : std::nullopt);
    figures_.add("the same to real-time and deadline threads", "count", subject,
                 per_million(seen.losses_to_realtime));
    figures_.add("the same to the stopper", "count", subject, per_million(seen.losses_to_stop));
    figures_.add("critical sections entered", "count", subject, sections);
    if (subject == Subject::kernel) kernel_work_ = count(done.work);
    figures_.add("work done, of the kernel's", "%", subject, 100 * count(done.work) / kernel_work_);
    figures_.add("yields", "count", subject, count(done.yields));
  }

 private:
  static double count(std::uint64_t value) { return static_cast<double>(value); }

  void add_times(Subject subject, std::span<const std::uint64_t> lateness) {
    const double p99 = percentile_us(lateness, 0.99);
    figures_.add("probe, wakeup to run, p50", "us", subject, percentile_us(lateness, 0.5));
    figures_.add("probe, wakeup to run, p99", "us", subject, p99);
    figures_.add("probe, wakeup to run, p99.9", "us", subject, percentile_us(lateness, 0.999));
    figures_.add("probe, wakeups", "count", subject, count(lateness.size()));
    if (const auto ratio = better_.of(subject, p99))
      figures_.add("p99, times better than the kernel", "x", subject, *ratio, goal_of(subject));
  }

  [[nodiscard]] std::optional<Goal> goal_of(Subject subject) const {
    if (subject == Subject::enforced) return at_least(kTimesBetterEnforced);
    if (subject == Subject::observer && !is_emulated_) return at_least(kTimesBetterObserver);
    return std::nullopt;
  }

  SubjectFigures& figures_;
  bool is_emulated_;
  Board& board_;
  Ratio better_;
  double kernel_work_ = 1;
};

}  // namespace

void measure_latency(const Bench& bench) {
  const auto& options = bench.options;
  const auto subjects =
      bench.possible({Subject::kernel, Subject::fifo, Subject::observer, Subject::enforced});
  const std::size_t columns = subjects.size() * options.rounds;
  const auto stand = WitnessStand::open(options.workers, columns);
  if (!stand) throw std::runtime_error("latency: no witness");
  Board& board = *Board::create(options.workers, columns,
                                static_cast<unsigned>(std::ceil(options.seconds)), stand->marks());
  LoadProcess load(board, {static_cast<int>(Host::crowded_cpu()), options.safe_point_us,
                           bench.host.daemon().socket()});
  const auto still_alive = [&] { load.expect_alive(); };
  LatencyReporter reporter(bench, board);
  std::size_t column = 0;
  bench.each_round(subjects, [&](Subject subject) {
    board.prepare({column, has_hints(subject) ? AtSafePoint::heed : AtSafePoint::nothing},
                  still_alive);
    stand->begin_round(column);
    board.run();
    std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
    board.finish(still_alive);
    stand->end_round();
    reporter.add(subject, column, stand->testimony(column));
    ++column;
  });
  (void)bench.host.daemon().counts(load.pid(), options.workers);
}

}  // namespace morpheus::bench
