// SPDX-License-Identifier: GPL-2.0-only
// Workers that lie, each beside an honest one and a thread that wakes a thousand times a second:
// whatever a worker claims, its neighbours must get their share and not wait without bound.
#include <algorithm>
#include <array>
#include <thread>

#include "tests/bench/scheduler/parts.hpp"

namespace morpheus::bench {
namespace {

using test::Load;
using test::Manner;

constexpr double kFairPercent = 50;
constexpr double kLeastPercent = kFairPercent * 0.9;  // within a tenth of fair
// slice + grace, and the hold cap: the daemon's defaults
constexpr double kPatienceMs = 5 + 10;
constexpr double kHoldCapMs = 100;

struct Liar {
  Manner manner;
  const char* what;
  double patience_ms;  ///< what a neighbour may have to wait, but for a tick
};

constexpr double kTurns = 60;

constexpr std::array kLiars{
    Liar{Manner::acker, "acknowledges and goes on", kPatienceMs},
    Liar{Manner::prophet, "claims answers to hints to come", kPatienceMs},
    Liar{Manner::critical, "claims a critical section for ever", kHoldCapMs},
    Liar{Manner::flipper, "flips its consent", kPatienceMs},
};

void play(const Bench& bench, Subject subject, const Liar& liar, double& kernel_p99_ms) {
  const bool is_enforced = subject == Subject::enforced;
  const Load load(bench.host.socket(), Host::crowded_cpu(),
                  {{.manner = liar.manner, .escapable = true},
                   {.manner = Manner::cooperative},
                   {.manner = Manner::sleeper}},
                  nullptr);
  bench.expect_watched(subject, load, 2);
  // long enough that one of the liar's turns, each as long as it is borne with, does not matter
  const auto shares =
      load.shares(std::max(bench.options.seconds, kTurns * liar.patience_ms / 1000));
  const auto waits = load.times(2);
  const auto ms = [&](unsigned per_mille) {
    return static_cast<double>(waits.quantile(per_mille)) / 1e6;
  };
  bench.figures.add(std::string(liar.what) + ": honest one's share of both", "%", subject,
                    100 * shares[1] / (shares[0] + shares[1]),
                    is_enforced ? std::optional(at_least(kLeastPercent)) : std::nullopt);
  bench.figures.add(std::string(liar.what) + ": a woken thread waits, p50", "ms", subject, ms(500));
  bench.figures.add(std::string(liar.what) + ": the same, p99", "ms", subject, ms(990));
  // A machine that is emulated, or shared, makes everybody wait now and then, whoever schedules.
  if (subject == Subject::kernel) kernel_p99_ms = ms(990);
  if (is_enforced)
    bench.figures.add(std::string(liar.what) + ": beyond the kernel's p99", "ms", subject,
                      ms(990) - kernel_p99_ms, at_most(liar.patience_ms + Host::tick_ms()));
}

}  // namespace

void measure_liar(const Bench& bench) {
  std::array<double, kLiars.size()> kernel_p99_ms{};
  bench.each_round(bench.possible({Subject::kernel, Subject::enforced}), [&](Subject subject) {
    for (std::size_t i = 0; i < kLiars.size(); ++i)
      play(bench, subject, kLiars[i], kernel_p99_ms[i]);
  });
}

}  // namespace morpheus::bench
