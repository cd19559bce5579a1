// SPDX-License-Identifier: GPL-2.0-only
// What Morpheus is for: how late a latency-sensitive thread is beside CPU-bound workers under the
// kernel alone, when workers yield at every safe point, and when they yield on a hint. The three
// take turns in rounds of one second, so that other load on the machine hits all of them.
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "tests/bench/contention/contention_options.hpp"
#include "tests/bench/contention/contention_report.hpp"
#include "tests/bench/measuring/board.hpp"
#include "tests/bench/measuring/daemon_under_test.hpp"
#include "tests/bench/measuring/load.hpp"
#include "tests/bench/measuring/testimony.hpp"

using namespace morpheus::bench;

namespace {

constexpr std::chrono::seconds kRound{1};

void show_progress(unsigned round, unsigned rounds, Variant variant, const Board& board) {
  const bool on_terminal = ::isatty(STDERR_FILENO) != 0;
  std::fprintf(stderr, "%sround %u of %u, %-8s  probe p99 so far %8.1f us%s",
               on_terminal ? "\r" : "", round, rounds, name(variant),
               percentile_us(board.lateness(index(variant)), 0.99), on_terminal ? "" : "\n");
  if (on_terminal && round == rounds) std::fputc('\n', stderr);
}

void play_round(Board& board, LoadProcess& load, DaemonUnderTest& daemon, WitnessStand* witness,
                Variant variant, const ContentionOptions& options, bool traced) {
  const auto still_alive = [&] { load.expect_alive(); };
  // The other two are the kernel's own scheduler, whatever Morpheus' rounds run under.
  daemon.set_mode(variant == Variant::morpheus ? options.mode : "observer");
  board.prepare({index(variant), at_safe_point(variant)}, still_alive);
  if (witness != nullptr) witness->begin_round(index(variant));
  board.run();
  const auto trace = traced ? daemon.trace(options.trace) : nullptr;
  std::this_thread::sleep_for(kRound);
  board.finish(still_alive);
  if (witness != nullptr) witness->end_round();
}

VariantFindings gather(Board& board, const WitnessStand* witness, Variant variant) {
  const auto samples = board.lateness(index(variant));
  VariantFindings found;
  found.probe_p50_us = percentile_us(samples, 0.5);
  found.probe_p99_us = percentile_us(samples, 0.99);
  found.probe_p999_us = percentile_us(samples, 0.999);
  found.lateness_us = tail_us(samples);
  const Tally done = board.total(index(variant));
  found.work = done.work;
  found.yields = done.yields;
  if (witness != nullptr) found.testimony = witness->testimony(index(variant));
  return found;
}

Findings measure(const ContentionOptions& options, DaemonUnderTest& daemon) {
  const auto witness = WitnessStand::open(options.workers, kVariants.size());
  Board& board = *Board::create(options.workers, kVariants.size(), options.seconds,
                                witness ? witness->marks() : nullptr);
  LoadProcess load(board, {options.cpu, options.safe_point_us, daemon.socket()});
  const auto rounds = static_cast<unsigned>(options.seconds * kVariants.size());
  for (unsigned round = 0; round < rounds; ++round) {
    const Variant variant = kVariants[round % kVariants.size()];
    const bool traced = !options.trace.empty() && round == index(Variant::morpheus);
    play_round(board, load, daemon, witness.get(), variant, options, traced);
    show_progress(round + 1, rounds, variant, board);
  }
  Findings findings;
  findings.hints = daemon.counts(load.pid(), options.workers);
  findings.ack = daemon.ack_latency();
  for (const Variant variant : kVariants)
    findings.variants[index(variant)] = gather(board, witness.get(), variant);
  utsname system{};
  ::uname(&system);
  findings.kernel = system.release;
  return findings;
}

morpheus::varlink::Json tunables_of(const ContentionOptions& options) {
  morpheus::varlink::Json tunables;
  for (const auto& text : options.tunables) {
    const auto equals = text.find('=');
    tunables[text.substr(0, equals)] = std::stoull(text.substr(equals + 1));
  }
  return tunables;
}

int run(const ContentionOptions& options) {
  DaemonUnderTest daemon;
  if (options.probe_native) return 0;
  if (!options.tunables.empty()) daemon.set_tunables(tunables_of(options));
  daemon.set_mode(options.mode);  // fails now rather than after the first rounds
  const Findings findings = measure(options, daemon);
  if (options.json)
    std::cout << results_of(findings, options).dump() << '\n';
  else
    std::cout << to_table(findings, options);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse_contention_options(argc, argv);
  if (!options) return 0;
  try {
    return run(*options);
  } catch (const CannotStart& daemon) {
    return daemon.exit_status;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "contention: %s\n", error.what());
    return 70;
  }
}
