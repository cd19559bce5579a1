// SPDX-License-Identifier: GPL-2.0-only
// The parts of the scheduler benchmark, and what each of them can use.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "tests/bench/scheduler/options.hpp"
#include "tests/bench/scheduler/subject.hpp"
#include "tests/bench/scheduler/subject_figures.hpp"
#include "tests/programs/load.hpp"

namespace morpheus::bench {

struct Bench {
  const SchedulerOptions& options;
  Host& host;
  SubjectFigures& figures;

  /// Those of `subjects` that this kernel can run.
  [[nodiscard]] std::vector<Subject> possible(std::initializer_list<Subject> subjects) const;
  /// In each round each subject schedules the machine in its turn while `play` runs. Reports the
  /// progress on stderr.
  void each_round(const std::vector<Subject>& subjects,
                  const std::function<void(Subject)>& play) const;
  /// The same, without a daemon in the rounds of the other subjects.
  void each_round_alone(const std::vector<Subject>& subjects,
                        const std::function<void(Subject)>& play) const;
  /// Counts against `subject` if its scheduler was ended meanwhile.
  void check_in_charge(Subject subject) const;
  /// Throws if the daemon does not watch all workers of `load` although the subject hints.
  void expect_watched(Subject subject, const test::Load& load, unsigned workers) const;

 private:
  void each(const std::vector<Subject>& subjects, void (Host::*use)(Subject),
            const std::function<void(Subject)>& play) const;
};

/// Compares with the kernel: how many times a subject's value fits into the kernel's own.
class Ratio {
 public:
  /// Remembers the kernel's value of this round; for other subjects, returns kernel / value.
  std::optional<double> of(Subject subject, double value);

 private:
  std::optional<double> kernel_;
};

void measure_latency(const Bench& bench);
void measure_cost(const Bench& bench);
void measure_shares(const Bench& bench);
void measure_strangers(const Bench& bench);
void measure_starvation(const Bench& bench);
void measure_liar(const Bench& bench);
void measure_lock(const Bench& bench);
void measure_hog(const Bench& bench);
void measure_throttle(const Bench& bench);
void measure_checkpoint(const Bench& bench);
void measure_throughput(const Bench& bench);

struct Part {
  const char* name;
  const char* what;
  void (*measure)(const Bench&);
};

inline constexpr std::array kParts{
    Part{"latency",
         "wakeup to run of a probe beside CPU-bound workers; CPU lost inside critical sections",
         measure_latency},
    Part{"lock",
         "a lock held in critical sections of too many workers on one CPU: how long they wait for "
         "it",
         measure_lock},
    Part{
        "starvation",
        "a deaf worker beside a rival: off its CPU in time if it consented, never escalated if not",
        measure_starvation},
    Part{"liar", "workers that claim what is not true: what it costs their neighbours",
         measure_liar},
    Part{"hog",
         "a runtime's task that is due every millisecond beside one that hogs its worker, and two "
         "hogs elsewhere",
         measure_hog},
    Part{"shares", "CPU time of equal workers, by nice value and by the weight of control groups",
         measure_shares},
    Part{"strangers",
         "what ordinary users do to have more than their share: what is left to a thread beside "
         "them",
         measure_strangers},
    Part{"throttle", "whether a control group's bound on CPU time holds", measure_throttle},
    Part{"checkpoint", "what safe points cost a worker", measure_checkpoint},
    Part{"cost",
         "what the schedulers' callbacks and the observer's programs cost, from the kernel's "
         "statistics",
         measure_cost},
    Part{"throughput",
         "a whole host's work: hackbench, compilers, stress-ng; an interactive thread",
         measure_throughput},
};

}  // namespace morpheus::bench
