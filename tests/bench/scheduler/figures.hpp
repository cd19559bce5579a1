// SPDX-License-Identifier: GPL-2.0-only
// The figures: a value of each measure and subject for each round, and the goals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/json.hpp"
#include "tests/bench/scheduler/subject.hpp"

namespace morpheus::bench {

/// What a measure should be. Judged by the median of the rounds, or by the worst round where a
/// single case is one too many.
struct Goal {
  enum class Kind : std::uint8_t { at_most, at_least } kind;
  double bound;
  bool of_worst = false;
};

[[nodiscard]] constexpr Goal at_most(double bound) { return {Goal::Kind::at_most, bound}; }
[[nodiscard]] constexpr Goal at_least(double bound) { return {Goal::Kind::at_least, bound}; }
[[nodiscard]] constexpr Goal never() { return {Goal::Kind::at_most, 0, true}; }

/// A measure of one subject.
struct Figure {
  std::string part, measure, unit;
  Subject subject;
  std::vector<double> values;
  std::optional<Goal> goal;

  [[nodiscard]] double median() const;
  [[nodiscard]] double least() const;
  [[nodiscard]] double most() const;
  /// True without a goal.
  [[nodiscard]] bool is_met() const;
};

class Figures {
 public:
  /// Figures that are added from now on belong to this part.
  void begin(const std::string& part) { part_ = part; }
  [[nodiscard]] const std::string& part() const { return part_; }
  void add(const std::string& measure, const std::string& unit, Subject subject, double value,
           std::optional<Goal> goal = std::nullopt);
  /// Notes, once, what of the present part could not be measured here.
  void skip(const std::string& reason);

  /// The present part's figures as a table.
  [[nodiscard]] std::string table() const;
  /// All figures.
  [[nodiscard]] nlohmann::ordered_json to_json() const;
  [[nodiscard]] unsigned missed() const;
  /// The missed goals, a line each.
  [[nodiscard]] std::string missed_lines() const;

 private:
  struct Skip {
    std::string part, reason;
  };
  std::string part_;
  std::vector<Figure> figures_;
  std::vector<Skip> skips_;
};

}  // namespace morpheus::bench
