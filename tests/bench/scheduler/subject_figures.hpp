// SPDX-License-Identifier: GPL-2.0-only
// The figures of the scheduler benchmark: a column for each subject.
#pragma once

#include <optional>
#include <string>

#include "tests/bench/measuring/figures.hpp"
#include "tests/bench/scheduler/subject.hpp"

namespace morpheus::bench {

class SubjectFigures : public Figures {
 public:
  SubjectFigures() : Figures({kSubjectNames.begin(), kSubjectNames.end()}) {}
  void add(const std::string& name, const std::string& unit, Subject subject, double value,
           std::optional<Goal> goal = std::nullopt) {
    Figures::add(name, unit, bench::name(subject), value, goal);
  }
};

}  // namespace morpheus::bench
