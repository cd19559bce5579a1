// SPDX-License-Identifier: GPL-2.0-only
// What stands below the options in each command's --help: what it prints, and examples, which the
// tests run.
#pragma once

#include <string>
#include <string_view>

namespace morpheus::ctl {

/// Of morpheusctl itself, if there is no such command.
[[nodiscard]] std::string help_below(std::string_view command);

}  // namespace morpheus::ctl
