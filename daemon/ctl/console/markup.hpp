// SPDX-License-Identifier: GPL-2.0-only
// Text in HTML and SVG. Pure.
#pragma once

#include <string>
#include <string_view>

namespace morpheus::ctl {

/// As it is written between tags and in attributes: names come from other users' processes, and no
/// name may become a tag.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace morpheus::ctl
