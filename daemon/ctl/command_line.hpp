// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl's command line: the one definition behind parsing, --help and the shells'
// completions.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/ctl/console/request.hpp"

namespace morpheus::ctl {

/// No request, the program just ends: after --help and --version (0), or on wrong usage (2).
struct Ended {
  ExitStatus status = ExitStatus::ok;
  std::string text = {};  ///< for standard output
};

/// Prints one line on stderr on wrong usage.
[[nodiscard]] std::variant<Request, Ended> parse_command_line(int argc, const char* const* argv);

/// One option or positional argument, for completion.
struct Word {
  std::vector<std::string> names;  ///< "--json", "-n"; empty for a positional argument
  std::string help;
  bool takes_value = false;
  bool takes_file = false;
  std::vector<std::string> choices;  ///< of its value; empty: anything
};

/// A command with its sub-commands; the root has no name.
struct Verb {
  std::string name, help;
  std::vector<Word> words;
  std::vector<Verb> verbs;
};

[[nodiscard]] Verb command_tree();

}  // namespace morpheus::ctl
