// SPDX-License-Identifier: GPL-2.0-only
// A worker that never looks for hints, beside a rival: how long it keeps the CPU if it has
// consented to escalation, and that it is never escalated if it has not. An independent tracing
// program counts, and the workers read their own lines.
#include <chrono>
#include <cstdio>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "tests/bench/scheduler/parts.hpp"

namespace morpheus::bench {
namespace {

using test::Load;
using test::Manner;
using test::ThreadSpec;
using test::Witness;
using Stints = std::span<const std::uint32_t, WITNESS_STINT_BUCKETS>;

// The daemon's defaults.
constexpr double kSliceMs = 5;
constexpr double kGraceMs = 10;
constexpr double kUsualHoldCapMs = 100;
constexpr double kHintLeadMs = 1;

constexpr double kWithinPercent = 99;
constexpr double kRivalPercent = 45;  // half, minus the cost of kicks

constexpr double kBoundPercent = 50;  // no promise of a fair share, but of half of one

constexpr double kBucketMs = WITNESS_STINT_BUCKET_NS / 1e6;

std::uint64_t stints_within(Stints stints, double ms) {
  const auto buckets = std::min(static_cast<std::size_t>(ms / kBucketMs), stints.size());
  return std::accumulate(stints.begin(), stints.begin() + static_cast<std::ptrdiff_t>(buckets),
                         std::uint64_t{0});
}

double stint_p99_ms(Stints stints) {
  const auto all = static_cast<double>(stints_within(stints, stints.size() * kBucketMs));
  double ms = kBucketMs;
  while (ms < stints.size() * kBucketMs &&
         static_cast<double>(stints_within(stints, ms)) < 0.99 * all)
    ms += kBucketMs;
  return ms;
}

void deaf_beside_rival(const Bench& bench, Witness& witness, Subject subject) {
  const bool is_enforced = subject == Subject::enforced;
  witness.allow(static_cast<std::uint64_t>((kSliceMs + kGraceMs) * 1e6));
  const Load load(bench.host.socket(), Host::crowded_cpu(),
                  {{.manner = Manner::deaf, .escapable = true}, {.manner = Manner::rival}},
                  &witness);
  bench.expect_watched(subject, load, 1);
  const auto shares = load.shares(bench.options.seconds);
  const auto stints = witness.stints(0);
  const double bound_ms = kSliceMs + kGraceMs + Host::tick_ms();
  const auto all = static_cast<double>(stints_within(stints, stints.size() * kBucketMs));
  if (all == 0) throw std::runtime_error("starvation: the deaf worker never left its CPU");
  auto& figures = bench.figures;
  figures.add("stints of a deaf worker that consented", "count", subject, all);
  // An emulated tick may itself be late, but how the scheduler uses ticks can be judged in any
  // case.
  figures.add("of these, over by the first tick after slice + grace", "%", subject,
              100 * (1 - static_cast<double>(witness.count(0).overstays) / all),
              is_enforced ? std::optional(at_least(kWithinPercent)) : std::nullopt);
  figures.add("of these, within slice + grace + tick", "%", subject,
              100 * static_cast<double>(stints_within(stints, bound_ms)) / all,
              is_enforced && !bench.host.is_emulated() ? std::optional(at_least(kWithinPercent))
                                                       : std::nullopt);
  figures.add("length of its stints, p99", "ms", subject, stint_p99_ms(stints));
  figures.add("share of its rival", "%", subject, 100 * shares[1],
              is_enforced ? std::optional(at_least(kRivalPercent)) : std::nullopt);
  figures.add("its kicks", "count", subject, static_cast<double>(witness.count(0).kicked));
}

/// A thread that may run on one CPU only must not wait for ever because others, which may run
/// anywhere, keep that CPU busy.
void bound_beside_unbound(const Bench& bench, Subject subject) {
  const std::size_t burners = std::min(3U * Host::cpus(), 16U);
  const double fair = static_cast<double>(Host::cpus()) / static_cast<double>(burners + 1);
  const Load unbound(bench.host.socket(), Load::kAnyCpu,
                     std::vector<ThreadSpec>(burners, {.manner = Manner::rival}), nullptr);
  const Load bound(bench.host.socket(), Host::crowded_cpu(), {{.manner = Manner::rival}}, nullptr);
  bench.figures.add(
      "share of a thread bound to one CPU, of its fair one", "%", subject,
      100 * bound.used(1, bench.options.seconds) / fair,
      subject == Subject::enforced ? std::optional(at_least(kBoundPercent)) : std::nullopt);
}

/// Deaf workers on all CPUs. Only the last of them has consented.
std::vector<ThreadSpec> crowd() {
  const std::size_t refusing = std::min(4U * Host::cpus() - 1, 15U);
  std::vector<ThreadSpec> threads(refusing, {.manner = Manner::deaf});
  threads.push_back({.manner = Manner::deaf, .escapable = true});
  return threads;
}

/// Slices and graces so short that nearly each tick is one at which a worker that had consented
/// would lose its CPU.
void never_without_consent(const Bench& bench, Witness& witness) {
  constexpr double kShortMs = 0.1;
  bench.host.set_tunables_ms(kShortMs, kShortMs, kUsualHoldCapMs, 0);
  witness.allow(static_cast<std::uint64_t>(2 * kShortMs * 1e6));
  const auto threads = crowd();
  const std::size_t refusing = threads.size() - 1;
  const Load load(bench.host.socket(), Load::kEachCpu, threads, &witness);
  bench.expect_watched(Subject::enforced, load, static_cast<unsigned>(threads.size()));
  const auto sum = [&](auto member) {
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < refusing; ++i) all += witness.count(i).*member;
    return static_cast<double>(all);
  };
  const double wanted = bench.options.opportunities;
  // if all goes well, every tick of every CPU is one
  const double limit_s = 10 + 10 * wanted * Host::tick_ms() / 1000 / Host::cpus();
  const auto start = std::chrono::steady_clock::now();
  const auto passed_s = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  while (sum(&witness_count::late_ticks) < wanted && passed_s() < limit_s) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    std::fprintf(stderr, "scheduler: starvation: %.0f of %.0f opportunities\n",
                 sum(&witness_count::late_ticks), wanted);
  }
  double escalated = 0;
  for (std::size_t i = 0; i < refusing; ++i) escalated += load.last_escalation_ns(i) != 0 ? 1 : 0;
  auto& figures = bench.figures;
  figures.add("opportunities to escalate a worker without consent", "count", Subject::enforced,
              sum(&witness_count::late_ticks), at_least(wanted));
  figures.add("kicks of workers without consent", "count", Subject::enforced,
              sum(&witness_count::kicked), never());
  figures.add("workers without consent whose line shows one", "count", Subject::enforced, escalated,
              never());
  figures.add("kicks of the one beside them that consented", "count", Subject::enforced,
              static_cast<double>(witness.count(refusing).kicked), at_least(1));
  bench.host.set_tunables_ms(kSliceMs, kGraceMs, kUsualHoldCapMs, kHintLeadMs);
}

}  // namespace

void measure_starvation(const Bench& bench) {
  auto witness = Witness::start();
  if (!witness) throw std::runtime_error("starvation: no witness: " + witness.error().text());
  bench.each_round(
      bench.possible({Subject::kernel, Subject::fifo, Subject::observer, Subject::enforced}),
      [&](Subject subject) {
        deaf_beside_rival(bench, **witness, subject);
        bound_beside_unbound(bench, subject);
      });
  if (!bench.host.has_sched_ext()) return;
  bench.host.use(Subject::enforced);
  never_without_consent(bench, **witness);
  bench.check_in_charge(Subject::enforced);
}

}  // namespace morpheus::bench
