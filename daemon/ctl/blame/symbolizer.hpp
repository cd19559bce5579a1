// SPDX-License-Identifier: GPL-2.0-only
// From frames to places in the code, each process's files read in a process apart. Remembers what
// it has found.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "daemon/ctl/blame/place.hpp"
#include "daemon/ctl/blame/tally.hpp"

namespace morpheus::ctl {

class Symbolizer {
 public:
  /// Finds the places of all frames of a culprit's stacks.
  void learn(const Culprit& culprit);
  /// Of a culprit that was learned: the innermost first, inlined functions as places of their own.
  [[nodiscard]] Places places_of(const Culprit& culprit, const Stack& stack) const;
  /// Why the culprit's code could not be read, and what to do; empty if it could.
  [[nodiscard]] std::string trouble(const Culprit& culprit) const;

 private:
  struct Process {
    std::map<Frame, Places> known;
    std::string trouble;
  };
  std::map<std::uint64_t, Process> processes_;  // by pid
};

}  // namespace morpheus::ctl
