// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/code_tree.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <ranges>
#include <tuple>
#include <utility>

namespace morpheus::ctl {
namespace {

// The tree while it grows: nodes by function, and how often each of its lines was seen.
struct Growing {
  std::uint64_t weight = 0;
  std::map<Place, std::uint64_t> lines;
  std::map<std::pair<std::string, std::string>, Growing> callers;  // by function and module
};

bool comes_first(const CodeNode& a, const CodeNode& b) {
  return std::tie(b.weight, a.place) < std::tie(a.weight, b.place);
}

CodeNode node_of(const Growing& from) {
  CodeNode node;
  node.weight = from.weight;
  const auto most =
      std::ranges::max_element(from.lines, {}, [](const auto& l) { return l.second; });
  if (most != from.lines.end()) node.place = most->first;
  for (const auto& [key, caller] : from.callers) node.callers.push_back(node_of(caller));
  std::ranges::sort(node.callers, comes_first);
  return node;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](unsigned char c) { return (c & 0xc0) != 0x80; }));  // of UTF-8: lead bytes
}

class Drawing {
 public:
  Drawing(std::uint64_t all, std::size_t columns) : all_(all), columns_(columns) {}

  void add(const CodeNode& node, std::size_t depth, bool is_alone) {
    if (node.weight * 100 < all_ || depth > kDeepest) return;
    const auto share = is_alone ? std::string()
                                : fmt::format("{:.0f} %", 100.0 * static_cast<double>(node.weight) /
                                                              static_cast<double>(all_));
    line(fmt::format("{:{}}{:>5}  ", "", 2 * depth, share), node.place, depth > 0 || is_alone);
    // a function with one caller and no other is written below it, not beside it
    const bool goes_on = node.callers.size() == 1 && node.callers[0].weight == node.weight;
    for (const auto& caller : node.callers) add(caller, goes_on ? depth : depth + 1, goes_on);
  }
  std::vector<std::string> lines;

 private:
  static constexpr std::size_t kDeepest = 40;

  // The line of the code is worth more than the end of a long name.
  void line(const std::string& indent, const Place& place, bool is_caller) {
    const auto before = indent + (is_caller ? "< " : ""), at = line_of(place);
    auto function = function_of(place);
    if (columns_ != 0) {
      const auto used = width_of(before) + (at.empty() ? 0 : width_of(at) + 2);
      function = cut_to(function, std::max<std::size_t>(columns_ > used ? columns_ - used : 0, 12));
    }
    auto text = before + function + (at.empty() ? "" : "  " + at);
    lines.push_back(columns_ == 0 ? text : cut_to(text, columns_));
  }

  std::uint64_t all_;
  std::size_t columns_;
};

}  // namespace

std::string function_of(const Place& place) {
  if (place.is_known()) return place.function;
  if (place.module.empty()) return kUnknown;
  return place.module.starts_with('[') ? place.module : "[" + place.module + "]";
}

std::string line_of(const Place& place) {
  if (place.file.empty()) return {};
  const std::string file(file_name(place.file));
  return place.line == 0 ? file : file + ":" + std::to_string(place.line);
}

CodeNode code_tree(const std::vector<WeighedPlaces>& stacks) {
  Growing root;
  for (const auto& [places, weight] : stacks) {
    Growing* at = &root;
    at->weight += weight;
    for (const auto& place : places) {
      at = &at->callers[{place.function, place.module}];
      at->weight += weight;
      at->lines[place] += weight;
    }
  }
  return node_of(root);
}

std::vector<std::string> draw_tree(const CodeNode& root, std::size_t columns) {
  Drawing drawing(std::max<std::uint64_t>(root.weight, 1), columns);
  for (const auto& function : root.callers) drawing.add(function, 0, false);
  return std::move(drawing.lines);
}

std::string folded(const std::vector<std::string>& frames) {
  std::string line;
  for (auto name : frames) {
    std::ranges::replace(name, ';', ':');
    line += (line.empty() ? "" : ";") + name;
  }
  return line;
}

std::string cut_to(const std::string& text, std::size_t columns) {
  if (width_of(text) <= columns) return text;
  constexpr std::size_t kDots = 3;
  std::size_t kept = 0, bytes = 0;
  for (const unsigned char c : text) {
    if ((c & 0xc0) != 0x80 && ++kept > (columns > kDots ? columns - kDots : 0)) break;
    ++bytes;
  }
  return text.substr(0, bytes) + std::string(std::min(columns, kDots), '.');
}

}  // namespace morpheus::ctl
