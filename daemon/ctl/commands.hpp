// SPDX-License-Identifier: GPL-2.0-only
// What morpheusctl does once its command line is understood.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/ctl/exit_status.hpp"
#include "daemon/ctl/render.hpp"

namespace morpheus::ctl {

struct Request {
  enum class Command { status, mode, workers, clients, tunables_get, tunables_set, events };
  Command command = Command::status;
  std::string socket;
  bool json = false;
  std::string mode;                      ///< empty: show it
  std::vector<std::string> assignments;  ///< "slice_ns=5000000" or "slice=5ms"
  bool follow = false;
  std::uint64_t count = 10;
  double timeout_s = 10;
};

/// Carries the request out, writing to stdout and, one line, to stderr.
[[nodiscard]] ExitStatus run(const Request& request, const Palette& palette);

/// "slice=5ms" -> {"slice_ns": 5000000}; units ns, us, ms, s; without a unit nanoseconds. Nothing
/// if it is no assignment. Pure.
[[nodiscard]] bool parse_assignment(const std::string& text, Json& into);

}  // namespace morpheus::ctl
