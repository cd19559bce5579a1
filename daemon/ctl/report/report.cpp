// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/report/report.hpp"

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <future>
#include <optional>

#include "daemon/ctl/blame/blame.hpp"
#include "daemon/ctl/blame/group_paths.hpp"
#include "daemon/ctl/commands/recording.hpp"
#include "daemon/ctl/console/console.hpp"
#include "daemon/ctl/report/page.hpp"

namespace morpheus::ctl {
namespace {

using varlink::Client;

std::string host_name() {
  utsname system{};
  ::uname(&system);
  return std::string(system.nodename) + " (" + system.machine + ")";
}

std::string date_and_time() {
  const time_t now = ::time(nullptr);
  tm local{};
  ::localtime_r(&now, &local);
  std::array<char, 64> text{};
  ::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %z", &local);
  return text.data();
}

/// What the daemon's samples and waits say; the error is a sentence for the page.
Result<double> look_for_culprits(const Request& request, Tally& tally, Timeline& waits) {
  auto client = Client::connect(request.socket);
  if (!client) return tl::unexpected(client.error());
  const auto seconds = collect_blame(*client, request.seconds, [&](const Json& reply) {
    tally.add(reply);
    waits.add_waits(reply);
  });
  if (!seconds) return tl::unexpected(Error{seconds.error().text()});
  return *seconds;
}

bool write_file(const std::string& path, const std::string& page) {
  if (path == kStandardOutput) return print(page), true;
  std::ofstream file(path, std::ios::trunc);
  file << page;
  return static_cast<bool>(file.flush());
}

}  // namespace

ExitStatus write_report(Client& client, const Request& request) {
  auto stream = Client::connect(request.socket);
  if (!stream) return cannot_connect(request.socket, stream.error());
  const auto before = control(client, "GetStatus");
  if (!before) return call_failed(before.error());
  if (::isatty(STDERR_FILENO) == 1)
    std::fprintf(stderr, "morpheusctl: looking for %g s; Ctrl-C ends it early\n", request.seconds);
  end_on_signals();
  Timeline timeline, waits;
  Tally tally;
  auto looking =
      std::async(std::launch::async, [&] { return look_for_culprits(request, tally, waits); });
  TraceBuilder trace([&](const Json& event) { timeline.add_trace(event); });
  introduce_all(client, trace);
  const auto lost = record_events(*stream, client, trace, request.seconds, [] { return true; });
  const auto seconds = looking.get();
  if (!lost) return call_failed(lost.error());
  introduce_all(client, trace);
  trace.finish();
  timeline.take_waits(waits);
  const auto after = control(client, "GetStatus");
  if (!after) return call_failed(after.error());
  Symbolizer symbols;
  for (const auto* culprit : tally.by_guilt()) symbols.learn(*culprit);
  GroupPaths groups;
  const ReportPage page{
      .blame = {tally, symbols, seconds.value_or(0),
                [&](std::uint64_t id) { return groups.path_of(id); }},
      .timeline = timeline,
      .why_no_blame = seconds ? "" : seconds.error().text(),
      .status_before = before->parameters,
      .status_after = after->parameters,
      .host = host_name(),
      .date = date_and_time(),
      .events = trace.events(),
      .events_lost = *lost,
  };
  if (!write_file(request.output, draw_page(page)))
    return complain(Error{"cannot write " + request.output, errno}.text(), ExitStatus::error);
  if (request.output == kStandardOutput) return ExitStatus::ok;
  if (request.json)
    print_json({{"file", request.output}, {"events", trace.events()}, {"events_lost", *lost}});
  else
    print(request.output + ": open it in a browser\n");
  return ExitStatus::ok;
}

}  // namespace morpheus::ctl
