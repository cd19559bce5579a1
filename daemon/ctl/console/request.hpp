// SPDX-License-Identifier: GPL-2.0-only
// What the operator asks for on the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/ctl/console/exit_status.hpp"

namespace morpheus::ctl {

enum class Command : std::uint8_t {
  status,
  mode,
  last_exit,
  workers,
  clients,
  tunables_get,
  tunables_set,
  events,
  blame,
  top,
  stats,
  metrics,
  trace,
  report,
  doctor,
  dump,
  completion,
};

/// In place of a file's name.
inline constexpr const char* kStandardOutput = "-";

struct Request {
  Command command = Command::status;
  std::string socket = "/run/morpheus/morpheusd.sock";
  bool json = false;
  bool colour = false;
  std::string mode;                      ///< mode; empty: show the mode
  std::vector<std::string> assignments;  ///< tunables set: "slice_ns=5000000" or "slice=5ms"
  bool follow = false;                   ///< events
  std::vector<std::string> types;        ///< events: only these; empty: all
  std::vector<std::uint64_t> workers;    ///< events, blame: only of these
  std::vector<std::uint64_t> pids;       ///< events, blame: only of these processes
  std::uint64_t count = 10;              ///< events: how many
  double timeout_s = 10;                 ///< events: how long
  double interval_s = 2;                 ///< top: between two updates
  std::uint64_t iterations = 0;  ///< top: how many updates; 0: endless on a terminal, else 1
  std::string sort = "cpu";      ///< top
  double seconds = 5;            ///< trace, blame, report
  bool folded = false;           ///< blame: for flame graph tools
  bool svg = false;              ///< blame: a flame graph
  std::string output = kStandardOutput;  ///< trace, report, dump: the file
  std::string shell;                     ///< completion
};

}  // namespace morpheus::ctl
