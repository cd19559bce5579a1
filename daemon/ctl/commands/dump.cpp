// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/dump.hpp"

#include <sys/utsname.h>

#include <chrono>
#include <fstream>

#include "daemon/ctl/commands/doctor.hpp"
#include "daemon/ctl/console/console.hpp"

namespace morpheus::ctl {
namespace {

using varlink::Client;

constexpr std::size_t kEvents = 1000;
constexpr std::chrono::seconds kListen{1};

// A failed call leaves its error in place of the reply.
Json reply_or_error(Client& client, const char* method) {
  auto reply = control(client, method);
  return reply ? std::move(reply->parameters) : Json{{"error", reply.error().text()}};
}

Json events_of_a_second(Client& client) {
  Json events = Json::array();
  if (!client.call_more("io.morpheus.Control.Subscribe")) return events;
  const auto end = std::chrono::steady_clock::now() + kListen;
  while (events.size() < kEvents) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    auto reply = client.next_reply(left);
    if (!reply) break;
    for (auto& event : reply->parameters.value("events", Json::array()))
      if (events.size() < kEvents) events.push_back(std::move(event));
  }
  return events;
}

Json host() {
  utsname system{};
  ::uname(&system);
  Json host{{"release", system.release}, {"version", system.version}, {"machine", system.machine}};
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("PRETTY_NAME=")) host["os"] = line.substr(sizeof("PRETTY_NAME=") - 1);
  return host;
}

}  // namespace

ExitStatus write_dump(Result<Client>& client, const Request& request) {
  const auto daemon = ask_daemon(client, request.socket);
  Json dump{{"morpheusctl", MORPHEUS_PROJECT_VERSION},
            {"host", host()},
            {"doctor", to_json(diagnose(read_host_facts(), daemon))}};
  if (daemon.runs) {
    dump["status"] = daemon.status;
    dump["clients"] = daemon.clients;
    dump["workers"] = reply_or_error(*client, "ListWorkers").value("workers", Json::array());
    dump["statistics"] = reply_or_error(*client, "GetStatistics");
    dump["events"] = events_of_a_second(*client);
  } else {
    dump["daemon"] = daemon.why_not;
  }
  if (request.output == kStandardOutput) {
    print_json(std::move(dump));
  } else {
    dump["schema_version"] = kSchemaVersion;
    std::ofstream file(request.output);
    file << json_text(dump, 2) << '\n';
    if (!file.flush())
      return complain(Error{"cannot write " + request.output, errno}.text(), ExitStatus::error);
  }
  return daemon.runs ? ExitStatus::ok : ExitStatus::not_running;
}

}  // namespace morpheus::ctl
