// SPDX-License-Identifier: GPL-2.0-only
// What morpheusctl top shows, as lines of a terminal. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/ctl/console/render.hpp"
#include "daemon/ctl/console/thread_facts.hpp"
#include "daemon/ctl/top/rows.hpp"
#include "daemon/ctl/top/view.hpp"

namespace morpheus::ctl {

/// Called only for rows that are shown, and only where there is room for the answer.
using AskSystem = std::function<ThreadFacts(const TopRow& row)>;

/// Lines of at most `view.columns` columns, colours not counted. Sets `view.last` and `view.page`,
/// and brings `view.first` within them.
[[nodiscard]] std::vector<std::string> top_picture(const Look& before, const Look& now,
                                                   TopView& view, const Palette& palette,
                                                   const AskSystem& ask);

}  // namespace morpheus::ctl
