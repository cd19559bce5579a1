// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/scheduler/parts.hpp"

#include <algorithm>
#include <cstdio>

namespace morpheus::bench {

std::vector<Subject> Bench::possible(std::initializer_list<Subject> subjects) const {
  std::vector<Subject> found;
  std::ranges::copy_if(subjects, std::back_inserter(found), [&](Subject subject) {
    return host.has_sched_ext() || !needs_sched_ext(subject);
  });
  if (found.size() < subjects.size())
    figures.skip("this kernel has no sched_ext: only kernel and observer");
  return found;
}

void Bench::each(const std::vector<Subject>& subjects, void (Host::*use)(Subject),
                 const std::function<void(Subject)>& play) const {
  for (unsigned round = 1; round <= options.rounds; ++round) {
    for (const Subject subject : subjects) {
      std::fprintf(stderr, "scheduler: %s: round %u of %u, %s\n", figures.part().c_str(), round,
                   options.rounds, name(subject));
      (host.*use)(subject);
      play(subject);
      check_in_charge(subject);
    }
  }
}

void Bench::check_in_charge(Subject subject) const {
  if (host.is_in_charge()) return;
  figures.add("rounds in which the scheduler lost the machine", "count", subject, 1, never());
  host.forget();
}

void Bench::each_round(const std::vector<Subject>& subjects,
                       const std::function<void(Subject)>& play) const {
  each(subjects, &Host::use, play);
}

void Bench::each_round_alone(const std::vector<Subject>& subjects,
                             const std::function<void(Subject)>& play) const {
  each(subjects, &Host::use_alone, play);
}

void Bench::expect_watched(Subject subject, const test::Load& load, unsigned workers) const {
  if (has_hints(subject)) (void)host.daemon().counts(load.pid(), workers);
}

std::optional<double> Ratio::of(Subject subject, double value) {
  if (subject == Subject::kernel) {
    kernel_ = value;
    return std::nullopt;
  }
  if (!kernel_ || value <= 0) return std::nullopt;
  return *kernel_ / value;
}

}  // namespace morpheus::bench
