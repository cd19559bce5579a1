// SPDX-License-Identifier: GPL-2.0-only
// What a benchmark measured: the values of each figure and subject, one for each round, and the
// goals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace morpheus::bench {

/// What a figure should be. Judged by the median of the values, or by the worst one where a single
/// case is one too many.
struct Goal {
  enum class Kind : std::uint8_t { at_most, at_least } kind;
  double bound;
  bool of_worst = false;
};

[[nodiscard]] constexpr Goal at_most(double bound) { return {Goal::Kind::at_most, bound}; }
[[nodiscard]] constexpr Goal at_least(double bound) { return {Goal::Kind::at_least, bound}; }
[[nodiscard]] constexpr Goal never() { return {Goal::Kind::at_most, 0, true}; }
[[nodiscard]] constexpr Goal always(Goal goal) { return {goal.kind, goal.bound, true}; }

/// A figure of one subject, in one variant of its load if there are several.
struct Figure {
  std::string part, name, subject, variant, unit;
  std::vector<double> values;
  std::optional<Goal> goal;

  [[nodiscard]] double median() const;
  [[nodiscard]] double least() const;
  [[nodiscard]] double most() const;
  /// True without a goal.
  [[nodiscard]] bool is_met() const;
};

/// A distribution, for plots: the values in the order that `name` says.
struct Samples {
  std::string part, name, subject, variant, unit;
  std::vector<double> values;
};

class Figures {
 public:
  /// The subjects are the columns of table(), in this order.
  explicit Figures(std::vector<std::string> subjects) : subjects_(std::move(subjects)) {}

  /// Figures that are added from now on belong to this part.
  void begin(const std::string& part) { part_ = part; }
  [[nodiscard]] const std::string& part() const { return part_; }
  /// Adds a value to the figure; the first one brings the goal. A value that is no number, such as
  /// a share of nothing, is noted as skipped.
  void add(const std::string& name, const std::string& unit, const std::string& subject,
           double value, std::optional<Goal> goal = std::nullopt, const std::string& variant = "");
  void add_samples(const std::string& name, const std::string& unit, const std::string& subject,
                   std::vector<double> values);
  /// Notes, once, what of the present part could not be measured here.
  void skip(const std::string& reason);

  [[nodiscard]] const std::vector<Figure>& all() const { return figures_; }
  [[nodiscard]] const std::vector<Samples>& samples() const { return samples_; }
  /// What could not be measured, and why, a line each.
  [[nodiscard]] const std::vector<std::string>& skipped() const { return skipped_; }

  /// The present part's figures as a table.
  [[nodiscard]] std::string table() const;
  /// How many goals were missed.
  [[nodiscard]] unsigned missed() const;
  /// The missed goals, a line each.
  [[nodiscard]] std::string missed_lines() const;

 private:
  [[nodiscard]] std::string row(const Figure& first) const;

  std::vector<std::string> subjects_;
  std::string part_;
  std::vector<Figure> figures_;
  std::vector<Samples> samples_;
  std::vector<std::string> skipped_;
};

}  // namespace morpheus::bench
