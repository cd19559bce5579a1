// SPDX-License-Identifier: GPL-2.0-only
// Workers that lie, each beside an honest one and a thread that wakes a thousand times a second.
// Whatever a worker claims, its neighbours must get their share, and their waits must have a bound.
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
  double patience_ms;  ///< how long a neighbour may have to wait, plus a tick
};

constexpr double kTurns = 60;

constexpr std::array kLiars{
    Liar{Manner::acker, "acknowledges and goes on", kPatienceMs},
    Liar{Manner::prophet, "acknowledges hints to come", kPatienceMs},
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
  // so long that a single turn of the liar, each as long as the patience, does not matter
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
  // On an emulated or shared machine all threads wait now and then, under any scheduler.
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
