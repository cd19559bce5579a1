// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/measuring/figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace morpheus::bench {
namespace {

constexpr std::size_t kLabelWidth = 52;
constexpr std::size_t kCellWidth = 20;

std::string number(double value) {
  std::array<char, 32> text{};
  const double size = std::abs(value);
  const int digits = size >= 100 || value == std::round(value) ? 0 : size >= 10 ? 1 : 2;
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string left(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string right(const std::string& text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : " " + text;
}

std::string cell(const Figure& figure) {
  if (figure.values.size() == 1) return number(figure.median());
  return number(figure.median()) + " (" + number(figure.least()) + "-" + number(figure.most()) +
         ")";
}

std::string verdict(const Figure& figure) {
  if (!figure.goal) return {};
  return "  " + figure.subject + (figure.goal->kind == Goal::Kind::at_most ? " <= " : " >= ") +
         number(figure.goal->bound) + (figure.goal->of_worst ? " always" : "") +
         (figure.is_met() ? ": met" : ": MISSED");
}

std::string label(const Figure& figure) {
  return figure.name + (figure.variant.empty() ? "" : ", " + figure.variant);
}

}  // namespace

double Figure::median() const {
  auto sorted = values;
  std::ranges::sort(sorted);
  const auto middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double Figure::least() const { return std::ranges::min(values); }
double Figure::most() const { return std::ranges::max(values); }

bool Figure::is_met() const {
  if (!goal) return true;
  if (goal->kind == Goal::Kind::at_most) return (goal->of_worst ? most() : median()) <= goal->bound;
  return (goal->of_worst ? least() : median()) >= goal->bound;
}

void Figures::add(const std::string& name, const std::string& unit, const std::string& subject,
                  double value, std::optional<Goal> goal, const std::string& variant) {
  if (!std::isfinite(value)) return skip(name + " of " + subject + ": no value");
  const auto found = std::ranges::find_if(figures_, [&](const Figure& figure) {
    return figure.part == part_ && figure.name == name && figure.subject == subject &&
           figure.variant == variant;
  });
  if (found != figures_.end())
    found->values.push_back(value);
  else
    figures_.push_back({part_, name, subject, variant, unit, {value}, goal});
}

void Figures::add_samples(const std::string& name, const std::string& unit,
                          const std::string& subject, std::vector<double> values) {
  samples_.push_back({part_, name, subject, "", unit, std::move(values)});
}

void Figures::skip(const std::string& reason) {
  const auto line = part_ + ": " + reason;
  if (std::ranges::find(skipped_, line) == skipped_.end()) skipped_.push_back(line);
}

std::string Figures::row(const Figure& first) const {
  std::string text = left("  " + label(first) + ", " + first.unit, kLabelWidth);
  std::string verdicts;
  for (const auto& subject : subjects_) {
    const auto found = std::ranges::find_if(figures_, [&](const Figure& figure) {
      return figure.part == first.part && label(figure) == label(first) &&
             figure.subject == subject;
    });
    text += right(found == figures_.end() ? "-" : cell(*found), kCellWidth);
    if (found != figures_.end()) verdicts += verdict(*found);
  }
  return text + verdicts + '\n';
}

std::string Figures::table() const {
  std::string text = left(part_, kLabelWidth);
  for (const auto& subject : subjects_) text += right(subject, kCellWidth);
  text += '\n';
  std::vector<std::string> printed;
  for (const auto& figure : figures_) {
    if (figure.part != part_ || std::ranges::count(printed, label(figure)) > 0) continue;
    printed.push_back(label(figure));
    text += row(figure);
  }
  for (const auto& line : skipped_)
    if (line.starts_with(part_ + ": "))
      text += "  skipped: " + line.substr(part_.size() + 2) + '\n';
  return text;
}

unsigned Figures::missed() const {
  return static_cast<unsigned>(
      std::ranges::count_if(figures_, [](const Figure& f) { return !f.is_met(); }));
}

std::string Figures::missed_lines() const {
  std::string text;
  for (const auto& figure : figures_)
    if (!figure.is_met())
      text += "missed: " + figure.part + ", " + label(figure) + ": " + cell(figure) + ' ' +
              figure.unit + verdict(figure) + '\n';
  return text;
}

}  // namespace morpheus::bench
