// SPDX-License-Identifier: GPL-2.0-only
// What morpheusctl blame prints. Pure, but for the names that the symbolizer has learnt.
#pragma once

#include <functional>
#include <string>

#include "daemon/ctl/blame/symbolizer.hpp"
#include "daemon/ctl/blame/tally.hpp"
#include "daemon/ctl/console/render.hpp"

namespace morpheus::ctl {

struct BlameReport {
  const Tally& tally;
  const Symbolizer& symbols;
  double seconds = 0;  ///< how long it was looked
  /// The path of a control group by its id; empty: unknown.
  std::function<std::string(std::uint64_t id)> group_path;
};

/// `columns`: of the terminal; 0: lines may have any length.
[[nodiscard]] std::string render_blame(const BlameReport& report, std::size_t columns,
                                       const Palette& palette);
/// A line for each stack: "process;thread;outermost;...;innermost MICROSECONDS", the time for which
/// threads had waited then.
[[nodiscard]] std::string fold_blame(const BlameReport& report);
/// The same as a flame graph, in SVG.
[[nodiscard]] std::string draw_blame(const BlameReport& report);
[[nodiscard]] Json blame_json(const BlameReport& report);

/// What a reader should know of a culprit's stacks, a sentence each: names that are missing, stacks
/// that could not be walked, and what to do.
[[nodiscard]] std::vector<std::string> blame_notes(const BlameReport& report,
                                                   const Culprit& culprit);

}  // namespace morpheus::ctl
