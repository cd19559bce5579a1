// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/daemon_facts.hpp"

#include "daemon/ctl/console/console.hpp"

namespace morpheus::ctl {

DaemonFacts ask_daemon(Result<varlink::Client>& client, const std::string& socket) {
  DaemonFacts daemon;
  if (!client) {
    daemon.why_not = "cannot be reached at " + socket + " (" + client.error().text() + ")";
    return daemon;
  }
  auto status = control(*client, "GetStatus");
  if (!status) {
    daemon.why_not = "does not respond at " + socket + " (" + status.error().text() + ")";
    return daemon;
  }
  daemon.runs = true;
  daemon.status = std::move(status->parameters);
  if (auto clients = control(*client, "ListClients"))
    daemon.clients = clients->parameters.value("clients", Json::array());
  return daemon;
}

}  // namespace morpheus::ctl
