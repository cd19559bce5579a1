// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/blame.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "daemon/ctl/blame/group_paths.hpp"
#include "daemon/ctl/blame/report.hpp"
#include "daemon/ctl/console/console.hpp"

namespace morpheus::ctl {
namespace {

using Clock = std::chrono::steady_clock;

/// 0: not a terminal.
std::size_t columns_of_output() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

tl::expected<double, varlink::CallError> collect_blame(
    varlink::Client& client, double seconds, const std::function<void(const Json&)>& add) {
  using varlink::CallError;
  if (auto asked = client.call_more("io.morpheus.Control.Blame"); !asked)
    return tl::unexpected(asked.error());
  // the kernel's samples come once a second: what the last of them brings still counts
  constexpr std::chrono::milliseconds kAfter{1200};
  const auto start = Clock::now();
  const auto end = start + std::chrono::milliseconds(static_cast<long>(seconds * 1000)) + kAfter;
  while (Clock::now() < end && !was_interrupted()) {
    auto reply = client.next_reply(kSignalWait);
    if (reply)
      add(reply->parameters);
    else if (reply.error().kind != CallError::Kind::timeout && !was_interrupted())
      return tl::unexpected(reply.error());
  }
  return std::min(seconds, std::chrono::duration<double>(Clock::now() - start).count());
}

ExitStatus show_blame(varlink::Client& client, const Request& request) {
  Tally tally({request.pids, request.workers});
  if (::isatty(STDERR_FILENO) == 1)
    std::fprintf(stderr, "morpheusctl: looking for %g s; Ctrl-C ends it early\n", request.seconds);
  end_on_signals();
  const auto seconds =
      collect_blame(client, request.seconds, [&](const Json& reply) { tally.add(reply); });
  if (!seconds) return call_failed(seconds.error());
  Symbolizer symbols;
  for (const auto* culprit : tally.by_guilt()) symbols.learn(*culprit);
  GroupPaths groups;
  const BlameReport report{tally, symbols, *seconds,
                           [&](std::uint64_t id) { return groups.path_of(id); }};
  if (request.folded)
    print(fold_blame(report));
  else if (request.svg)
    print(draw_blame(report));
  else if (request.json)
    print_json(blame_json(report));
  else
    print(render_blame(report, columns_of_output(), Palette{request.colour}));
  return ExitStatus::ok;
}

}  // namespace morpheus::ctl
