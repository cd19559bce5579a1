// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl doctor: what works on this host, line by line, and what to do about what does not.
#pragma once

#include <string>
#include <vector>

#include "daemon/ctl/commands/host_facts.hpp"
#include "daemon/ctl/console/render.hpp"
#include "daemon/ctl/console/request.hpp"
#include "proto/varlink_client.hpp"

namespace morpheus::ctl {

enum class Verdict : std::uint8_t {
  good,     ///< works
  note,     ///< works; good to know
  limited,  ///< something does not work, Observer mode does
  bad,      ///< Morpheus cannot work here
};

struct Finding {
  std::string what;  ///< one or two words
  Verdict verdict = Verdict::good;
  std::string says;
  std::string todo;  ///< empty only for Verdict::good
};

/// What the daemon says, as far as it runs; all empty objects if it does not.
struct DaemonFacts {
  bool runs = false;
  std::string why_not;  ///< why it cannot be reached
  Json status, clients;
};

/// Pure.
[[nodiscard]] std::vector<Finding> diagnose(const HostFacts& host, const DaemonFacts& daemon);

/// 77 if anything is bad, 4 if anything is limited, 3 if only the daemon does not run, 0 otherwise.
[[nodiscard]] ExitStatus status_of(const std::vector<Finding>& findings, const DaemonFacts& daemon);

[[nodiscard]] std::string render_findings(const std::vector<Finding>& findings,
                                          const Palette& palette);
[[nodiscard]] Json to_json(const std::vector<Finding>& findings);

[[nodiscard]] DaemonFacts ask_daemon(Result<varlink::Client>& client, const std::string& socket);

/// `client` may have failed: the daemon's lines then say so.
[[nodiscard]] ExitStatus examine_host(Result<varlink::Client>& client, const Request& request);

}  // namespace morpheus::ctl
