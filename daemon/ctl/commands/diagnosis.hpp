// SPDX-License-Identifier: GPL-2.0-only
// What works on this host, line by line, and what to do about the rest. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/ctl/commands/daemon_facts.hpp"
#include "daemon/ctl/commands/host_facts.hpp"
#include "daemon/ctl/console/exit_status.hpp"

namespace morpheus::ctl {

enum class Verdict : std::uint8_t {
  good,     ///< works
  note,     ///< works; good to know
  limited,  ///< something does not work, but Observer mode does
  bad,      ///< Morpheus cannot work here
};

struct Finding {
  std::string what;  ///< one or two words
  Verdict verdict = Verdict::good;
  std::string says;
  std::string todo;  ///< never empty for what is limited or bad
};

[[nodiscard]] std::vector<Finding> diagnose(const HostFacts& host, const DaemonFacts& daemon);

/// 77 if anything is bad, 3 if the daemon does not run, 4 if Enforced mode was chosen and is not in
/// force, 0 otherwise: what a host does not offer is no fault of the running service.
[[nodiscard]] ExitStatus status_of(const std::vector<Finding>& findings, const DaemonFacts& daemon);

}  // namespace morpheus::ctl
