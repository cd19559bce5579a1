// SPDX-License-Identifier: GPL-2.0-only
// Text in the columns of a terminal: an ideograph takes two, a combining mark none. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace morpheus::ctl {

/// The part of `text` (UTF-8) that fits into so many columns. What a terminal cannot show, or would
/// obey, becomes '?': names come from other users' processes.
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns);
/// Cut, or filled with blanks at the end, to exactly so many columns.
[[nodiscard]] std::string padded(std::string_view text, std::size_t columns);
/// How many columns the text takes as cut() would show it.
[[nodiscard]] std::size_t columns_of(std::string_view text);

}  // namespace morpheus::ctl
