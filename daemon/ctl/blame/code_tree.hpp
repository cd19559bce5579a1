// SPDX-License-Identifier: GPL-2.0-only
// Where in its code a worker was when it kept threads waiting, as a tree: the functions that it was
// in, and below each the functions that had called it. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/ctl/blame/place.hpp"

namespace morpheus::ctl {

/// One function under its callee. The root has no place.
struct CodeNode {
  Place place;  ///< with the line that was seen most often
  std::uint64_t weight = 0;
  std::vector<CodeNode> callers;  ///< the heaviest first
};

/// What is shown for a place about which nothing is known.
inline constexpr const char* kUnknown = "(unknown)";

/// "crunch()", "[libfoo.so]", or kUnknown.
[[nodiscard]] std::string function_of(const Place& place);
/// "guilty.cpp:41"; empty if it is not known.
[[nodiscard]] std::string line_of(const Place& place);

struct WeighedPlaces {
  Places places;  ///< the innermost first
  std::uint64_t weight = 0;
};
[[nodiscard]] CodeNode code_tree(const std::vector<WeighedPlaces>& stacks);

/// Its lines, each of at most `columns` columns (0: as long as they are). Functions with less than
/// a hundredth of the root's weight are left out.
[[nodiscard]] std::vector<std::string> draw_tree(const CodeNode& root, std::size_t columns);

/// A stack, the outermost frame first, as flame graph tools read it: "outermost;...;innermost".
[[nodiscard]] std::string folded(const std::vector<std::string>& frames);

/// At most `columns` columns; what is cut off is replaced by "...".
[[nodiscard]] std::string cut_to(const std::string& text, std::size_t columns);

}  // namespace morpheus::ctl
