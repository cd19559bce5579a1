// SPDX-License-Identifier: GPL-2.0-only
// A flame graph (Gregg, "The Flame Graph", CACM 59(6), 2016) as an SVG picture. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace morpheus::ctl {

struct WeighedStack {
  std::vector<std::string> frames;  ///< names, the outermost first; valid UTF-8
  std::uint64_t weight_ns = 0;
};

/// One file without a script, for light and dark pages: a box for each frame, the outermost at the
/// bottom, as wide as its share of the whole weight; its name and time show when a pointer rests on
/// it. Frames with less than a thousandth are left out.
[[nodiscard]] std::string flame_graph(const std::string& title,
                                      const std::vector<WeighedStack>& stacks);

}  // namespace morpheus::ctl
