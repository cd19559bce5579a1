// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/scheduler/figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace morpheus::bench {
namespace {

using Json = nlohmann::ordered_json;

std::string number(double value) {
  std::array<char, 32> text{};
  const double size = std::abs(value);
  const int digits = size >= 100 || value == std::round(value) ? 0 : size >= 10 ? 1 : 2;
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string padded(const std::string& text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : " " + text;
}

std::string cell(const Figure& figure) {
  if (figure.values.size() == 1) return number(figure.median());
  return number(figure.median()) + " (" + number(figure.least()) + "-" + number(figure.most()) +
         ")";
}

std::string verdict(const Figure& figure) {
  if (!figure.goal) return {};
  return std::string("  ") + name(figure.subject) +
         (figure.goal->kind == Goal::Kind::at_most ? " <= " : " >= ") + number(figure.goal->bound) +
         (figure.goal->of_worst ? " always" : "") + (figure.is_met() ? ": met" : ": MISSED");
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

void Figures::add(const std::string& measure, const std::string& unit, Subject subject,
                  double value, std::optional<Goal> goal) {
  const auto found = std::ranges::find_if(figures_, [&](const Figure& figure) {
    return figure.part == part_ && figure.measure == measure && figure.subject == subject;
  });
  if (found != figures_.end())
    found->values.push_back(value);
  else
    figures_.push_back({part_, measure, unit, subject, {value}, goal});
}

void Figures::skip(const std::string& reason) {
  const auto same = [&](const Skip& skip) { return skip.part == part_ && skip.reason == reason; };
  if (std::ranges::none_of(skips_, same)) skips_.push_back({part_, reason});
}

std::string Figures::table() const {
  constexpr std::size_t kLabel = 52;
  constexpr std::size_t kCell = 20;
  std::string text = part_ + std::string(kLabel > part_.size() ? kLabel - part_.size() : 1, ' ');
  for (const Subject subject : kSubjects) text += padded(name(subject), kCell);
  text += '\n';
  std::vector<std::string> printed;
  for (const auto& row : figures_) {
    if (row.part != part_ || std::ranges::count(printed, row.measure) > 0) continue;
    printed.push_back(row.measure);
    std::string label = "  " + row.measure + ", " + row.unit;
    label.resize(std::max(kLabel, label.size()), ' ');
    std::string verdicts;
    text += label;
    for (const Subject subject : kSubjects) {
      const auto found = std::ranges::find_if(figures_, [&](const Figure& figure) {
        return figure.part == part_ && figure.measure == row.measure && figure.subject == subject;
      });
      text += padded(found == figures_.end() ? "-" : cell(*found), kCell);
      if (found != figures_.end()) verdicts += verdict(*found);
    }
    text += verdicts + '\n';
  }
  for (const auto& skip : skips_)
    if (skip.part == part_) text += "  skipped: " + skip.reason + '\n';
  return text;
}

Json Figures::to_json() const {
  Json figures = Json::array();
  for (const auto& figure : figures_) {
    Json one{{"part", figure.part},       {"measure", figure.measure},
             {"unit", figure.unit},       {"subject", name(figure.subject)},
             {"median", figure.median()}, {"min", figure.least()},
             {"max", figure.most()},      {"n", figure.values.size()}};
    if (figure.goal) {
      one["goal"] = {
          {figure.goal->kind == Goal::Kind::at_most ? "at_most" : "at_least", figure.goal->bound},
          {"of", figure.goal->of_worst ? "worst" : "median"}};
      one["met"] = figure.is_met();
    }
    figures.push_back(std::move(one));
  }
  Json skips = Json::array();
  for (const auto& skip : skips_) skips.push_back({{"part", skip.part}, {"reason", skip.reason}});
  return {{"figures", std::move(figures)}, {"skipped", std::move(skips)}, {"missed", missed()}};
}

unsigned Figures::missed() const {
  return static_cast<unsigned>(
      std::ranges::count_if(figures_, [](const Figure& f) { return !f.is_met(); }));
}

std::string Figures::missed_lines() const {
  std::string text;
  for (const auto& figure : figures_)
    if (!figure.is_met())
      text += "missed: " + figure.part + ", " + figure.measure + ": " + cell(figure) + ' ' +
              figure.unit + verdict(figure) + '\n';
  return text;
}

}  // namespace morpheus::bench
