// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/measuring/load.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <morpheus/attachment.hpp>
#include <morpheus/worker.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "proto/monotonic_clock.hpp"
#include "tests/bench/measuring/testimony.hpp"
#include "tests/bench/measuring/unprivileged.hpp"
#include "tests/bench/measuring/work_unit.hpp"

namespace morpheus::bench {
namespace {

constexpr std::uint64_t kProbePeriodNs = 1'000'000;

void pin_to(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  if (::sched_setaffinity(0, sizeof only, &only) != 0)
    throw std::runtime_error("cannot run on CPU " + std::to_string(cpu));
}

/// One worker thread; the same in all variants but for the safe point.
class Worker {
 public:
  Worker(Board& board, const WorkUnit& unit, unsigned number)
      : unit_(unit), mark_(board.mark(number + 1)), board_(board), number_(number) {
    self_.quiesce();
    mark_.tid = static_cast<__u32>(::gettid());
  }

  // Hints belong to Morpheus' rounds only.
  void prepare(Round round) {
    if (round.at_safe_point == AtSafePoint::heed) self_.resume();
  }
  void finish(Round round) {
    if (round.at_safe_point == AtSafePoint::heed) self_.quiesce();
  }

  void run(Round round) {
    switch (round.at_safe_point) {
      case AtSafePoint::nothing:
        return run_until_end(round, [] { return false; });
      case AtSafePoint::yield:
        return run_until_end(round, [] { return ::sched_yield() == 0; });
      case AtSafePoint::heed:
        return run_until_end(round, [here = safe_point()]() mutable { return here.checkpoint(); });
    }
  }

 private:
  // Every other unit is a critical section: a load that holds locks half of its time.
  template <class SafePoint>
  void run_until_end(Round round, SafePoint safe_point) {
    std::uint64_t work = 0;
    std::uint64_t yields = 0;
    while (board_.is_running()) {
      if (work % 2 == 0)
        unit_();
      else
        run_critical_unit();
      ++work;
      __atomic_store_n(&mark_.safe_points, mark_.safe_points + 1, __ATOMIC_RELAXED);
      yields += safe_point() ? 1 : 0;
    }
    auto& tally = board_.tally(number_, round.column);
    tally.work += work;
    tally.yields += yields;
  }

  void run_critical_unit() {
    const critical_section section(self_);
    __atomic_store_n(&mark_.critical, 1U, __ATOMIC_RELEASE);
    unit_();
    __atomic_store_n(&mark_.critical, 0U, __ATOMIC_RELEASE);
  }

  worker self_;
  const WorkUnit& unit_;
  witness_mark& mark_;
  Board& board_;
  unsigned number_;
};

/// Wakes up once a millisecond and notes how late it was. Periods that were slept through are left
/// out: each sample is the latency of one wakeup.
class Probe {
 public:
  explicit Probe(Board& board) : board_(board) {
    board.mark(kProbe).tid = static_cast<__u32>(::gettid());
  }
  void prepare(Round) {}
  void finish(Round) {}

  void run(Round round) {
    if (!round.with_probe) return rest();
    std::uint64_t due = morpheus::monotonic_ns();
    while (board_.is_running()) {
      due += kProbePeriodNs;
      const timespec at{static_cast<time_t>(due / 1'000'000'000),
                        static_cast<long>(due % 1'000'000'000)};
      ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
      const std::uint64_t late = morpheus::monotonic_ns() - due;
      board_.add_lateness(round.column, late);
      due += late / kProbePeriodNs * kProbePeriodNs;
    }
  }

 private:
  // Waiting for the next phase would be to wake far more often than a probe does.
  void rest() const {
    while (board_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  Board& board_;
};

/// Takes `actor` through the rounds until the end.
template <class Actor>
void play_rounds(Board& board, Actor& actor) {
  Phase phase = Phase::idle;
  while ((phase = board.await_other_than(phase)) != Phase::quit) {
    if (phase == Phase::prepare) actor.prepare(board.round());
    if (phase == Phase::run) actor.run(board.round());
    if (phase == Phase::finish) actor.finish(board.round());
    if (phase != Phase::run) board.report();
  }
}

/// Nothing here can be half done: a thread that cannot do its part ends the process.
template <class F>
auto or_die(F body) {
  return [body]() mutable {
    try {
      body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "bench: the load: %s\n", error.what());
      ::_exit(70);
    }
  };
}

void run_threads(Board& board, const LoadSpec& spec) {
  pin_to(spec.cpu);
  const WorkUnit unit(spec.safe_point_us);
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < board.workers(); ++number) {
    threads.emplace_back(or_die([&board, &unit, number] {
      Worker worker(board, unit, number);
      play_rounds(board, worker);
    }));
  }
  threads.emplace_back(or_die([&board] {
    Probe probe(board);
    play_rounds(board, probe);
  }));
  for (auto& thread : threads) thread.join();
}

}  // namespace

LoadProcess::LoadProcess(Board& board, const LoadSpec& spec) : board_(board), pid_(::fork()) {
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ > 0) return;
  or_die([&] {
    if (!give_up_root()) throw std::runtime_error("cannot give up root");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after it: a change of user clears this
    ::prctl(PR_SET_TIMERSLACK, 1UL);     // the default, 50 us, would be the probe's lateness
    morpheus_options options{};
    options.socket = spec.socket.c_str();
    options.name = "contention";
    options.max_workers = board.workers();
    const attachment attachment(options);
    if (const auto status = attachment::status(); status.link != MORPHEUS_LINK_ATTACHED)
      throw std::runtime_error(std::string("not attached: ") + status.last_error);
    run_threads(board, spec);
  })();
  ::_exit(0);
}

LoadProcess::~LoadProcess() {
  board_.quit();
  if (!is_gone_) ::waitpid(pid_, nullptr, 0);
}

void LoadProcess::expect_alive() {
  is_gone_ = is_gone_ || ::waitpid(pid_, nullptr, WNOHANG) == pid_;
  if (is_gone_) throw std::runtime_error("the load has ended early");
}

}  // namespace morpheus::bench
