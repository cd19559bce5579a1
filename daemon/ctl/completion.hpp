// SPDX-License-Identifier: GPL-2.0-only
// Completion scripts, made from the definition of the command line. Pure.
#pragma once

#include <string>

#include "daemon/ctl/command_line.hpp"

namespace morpheus::ctl {

/// `shell` is bash, zsh or fish; `root` is command_tree().
[[nodiscard]] std::string completion_script(const std::string& shell, const Verb& root);

}  // namespace morpheus::ctl
