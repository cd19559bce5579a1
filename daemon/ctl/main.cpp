// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl: the command line. What the commands do is in commands.cpp.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "daemon/ctl/commands.hpp"

using namespace morpheus::ctl;

namespace {

constexpr const char* kFooter = R"(Exit status:
  0   ok
  1   error; one line on stderr says what to do
  2   usage
  3   morpheusd is not running
  4   degraded: enforced mode was chosen, but the kernel ejected the scheduler
  77  not permitted, or the kernel cannot do it

Examples:
  morpheusctl status                 is it running, and what does it do?
  morpheusctl mode enforced          attach the scheduler (root or the admin group)
  morpheusctl workers --json | jq '.workers[] | select(.lost > 0)'
  morpheusctl tunables set slice=4ms grace=8ms
  morpheusctl events --follow        what happens now, until Ctrl-C)";

void describe(CLI::App& app, Request& request) {
  using Command = Request::Command;
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "morpheusctl " MORPHEUS_PROJECT_VERSION);
  app.add_option("--socket", request.socket, "Where morpheusd listens")->capture_default_str();
  app.add_flag("--json", request.json, "One JSON object, with schema_version");
  const auto add = [&](CLI::App& to, const char* name, const char* what, Command command) {
    CLI::App* sub = to.add_subcommand(name, what);
    sub->callback([&request, command] { request.command = command; });
    return sub;
  };
  add(app, "status", "Mode, scheduler, counters, latency, pressure", Command::status);
  add(app, "mode", "Show the mode, or change it", Command::mode)
      ->add_option("mode", request.mode, "observer or enforced")
      ->check(CLI::IsMember({"observer", "enforced"}));
  add(app, "workers", "All registered threads and what was asked of them", Command::workers);
  add(app, "clients", "All attached processes", Command::clients);
  CLI::App* tunables = app.add_subcommand("tunables", "Show or change the scheduler's times");
  tunables->require_subcommand(0, 1)->fallthrough();
  tunables->callback([&request, tunables] {
    if (tunables->get_subcommands().empty()) request.command = Command::tunables_get;
  });
  add(*tunables, "get", "Show them (the default)", Command::tunables_get);
  add(*tunables, "set", "Change some, all at once or not at all", Command::tunables_set)
      ->add_option("assignments", request.assignments, "name=value with unit ns, us, ms or s")
      ->required();
  CLI::App* events = add(app, "events", "Hints, acknowledgements, escalations", Command::events);
  auto* count = events->add_option("--count", request.count, "Stop after so many");
  count->capture_default_str();
  events->add_option("--timeout", request.timeout_s, "Stop after so many seconds")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
  events->add_flag("--follow", request.follow, "Go on until interrupted")->excludes(count);
}

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return (no_colour == nullptr || *no_colour == '\0') && ::isatty(STDOUT_FILENO) == 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"morpheusctl sees and steers morpheusd.", "morpheusctl"};
  Request request;
  request.socket = "/run/morpheus/morpheusd.sock";
  describe(app, request);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ParseError& wrong) {
    std::cerr << "morpheusctl: " << wrong.what() << "; see morpheusctl --help\n";
    return static_cast<int>(ExitStatus::usage);
  }
  try {
    return static_cast<int>(run(request, Palette{wants_colour()}));
  } catch (const std::exception& error) {  // a reply of unexpected types
    std::cerr << "morpheusctl: cannot read the reply, is morpheusd of another version? "
              << error.what() << '\n';
    return static_cast<int>(ExitStatus::error);
  }
}
