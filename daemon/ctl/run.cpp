// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/run.hpp"

#include "daemon/ctl/blame/blame.hpp"
#include "daemon/ctl/commands/doctor.hpp"
#include "daemon/ctl/commands/dump.hpp"
#include "daemon/ctl/commands/events.hpp"
#include "daemon/ctl/commands/status.hpp"
#include "daemon/ctl/commands/trace.hpp"
#include "daemon/ctl/commands/tunables.hpp"
#include "daemon/ctl/completion.hpp"
#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/console/render.hpp"
#include "daemon/ctl/report/report.hpp"
#include "daemon/ctl/top/top.hpp"

namespace morpheus::ctl {
namespace {

using varlink::Client;
using RenderList = std::string (*)(const Json& list, const Palette& palette);

ExitStatus show_list(Client& client, const Request& request, const char* method, const char* key,
                     RenderList render) {
  return show_reply(client, request, method, Json::object(), [&](const Json& reply) {
    return render(reply.value(key, Json::array()), Palette{request.colour});
  });
}

ExitStatus run_with_daemon(Client& client, const Request& request) {
  switch (request.command) {
    case Command::mode:
      return request.mode.empty() ? show_mode(client, request) : change_mode(client, request);
    case Command::last_exit:
      return show_last_exit(client, request);
    case Command::workers:
      return show_list(client, request, "ListWorkers", "workers", render_workers);
    case Command::clients:
      return show_list(client, request, "ListClients", "clients", render_clients);
    case Command::tunables_get:
      return show_tunables(client, request);
    case Command::tunables_set:
      return set_tunables(client, request);
    case Command::stats:
      return show_reply(client, request, "GetStatistics", Json::object(), render_statistics);
    case Command::metrics:
      return show_reply(client, request, "GetMetrics", Json::object(),
                        [](const Json& reply) { return reply.value("text", ""); });
    case Command::events:
      return stream_events(client, request);
    case Command::blame:
      return show_blame(client, request);
    case Command::top:
      return show_top(client, request);
    case Command::trace:
      return record_trace(client, request);
    case Command::report:
      return write_report(client, request);
    default:
      return show_status(client, request);
  }
}

}  // namespace

ExitStatus run(const Request& request) {
  if (request.command == Command::completion) {
    print(completion_script(request.shell, command_tree()));
    return ExitStatus::ok;
  }
  auto client = Client::connect(request.socket);
  // these two work without a daemon, too
  if (request.command == Command::doctor) return examine_host(client, request);
  if (request.command == Command::dump) return write_dump(client, request);
  if (!client) return cannot_connect(request.socket, client.error());
  return run_with_daemon(*client, request);
}

}  // namespace morpheus::ctl
