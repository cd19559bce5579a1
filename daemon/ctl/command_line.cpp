// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/command_line.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

namespace morpheus::ctl {
namespace {

constexpr const char* kFooter = R"(Exit status:
  0   ok
  1   error; one line on stderr says what to do
  2   wrong use
  3   morpheusd is not running
  4   degraded: enforced mode was chosen but is not in force (of doctor: something does not work)
  77  the kernel cannot do it

Examples:
  morpheusctl doctor                 what works on this host, and what to do about the rest
  morpheusctl status                 is it running, and what does it do?
  morpheusctl top                    which worker is in the way?
  morpheusctl events --follow        what happens now, until Ctrl-C
  morpheusctl trace --seconds 5 -o t.json    a picture of it, for https://ui.perfetto.dev
  morpheusctl mode enforced          attach the scheduler (root or the admin group)
  morpheusctl tunables set slice=4ms grace=8ms
  morpheusctl workers --json | jq '.workers[] | select(.lost > 0)')";

class Definition {
 public:
  Definition(CLI::App& app, Request& request) : app_(app), request_(request) {
    app.footer(kFooter);
    app.require_subcommand(1);
    app.fallthrough();
    app.set_version_flag("--version", "morpheusctl " MORPHEUS_PROJECT_VERSION);
    app.add_option("--socket", request.socket, "Where morpheusd listens")->capture_default_str();
    app.add_flag("--json", request.json, "JSON objects, each with schema_version");
    add_views();
    add_changes();
    add_streams();
    add_tools();
  }

 private:
  CLI::App* verb(CLI::App& to, const char* name, const char* what, Command command) {
    CLI::App* sub = to.add_subcommand(name, what);
    sub->callback([this, command] { request_.command = command; });
    return sub;
  }
  CLI::App* verb(const char* name, const char* what, Command command) {
    return verb(app_, name, what, command);
  }

  void add_views() {
    verb("status", "Mode, scheduler, counters, latency, pressure", Command::status);
    verb("last-exit", "How the kernel last ended the scheduler, with its dump", Command::last_exit);
    verb("clients", "All attached processes", Command::clients);
    verb("workers", "All registered threads and what was asked of them", Command::workers);
    verb("stats", "Counts by reason, and how long answers and waits took", Command::stats);
    verb("metrics", "What the metrics endpoint serves, as OpenMetrics text", Command::metrics);
    CLI::App* top =
        verb("top", "Live: who runs, waits, is asked and does not answer", Command::top);
    top->add_option("-d,--interval", request_.interval_s, "Seconds between two pictures")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 60.0));
    top->add_option("-n,--iterations", request_.iterations,
                    "Stop after so many [for ever on a terminal, else 1]")
        ->check(CLI::PositiveNumber);
    top->add_option("-s,--sort", request_.sort, "Column, the largest first")
        ->capture_default_str()
        ->check(
            CLI::IsMember({"cpu", "wait", "hints", "acknowledged", "lost", "escalated", "worker"}));
  }

  void add_changes() {
    verb("mode", "Show the mode, or change it", Command::mode)
        ->add_option("mode", request_.mode, "observer or enforced")
        ->check(CLI::IsMember({"observer", "enforced"}));
    CLI::App* tunables = app_.add_subcommand("tunables", "Show or change the scheduler's times");
    tunables->require_subcommand(0, 1)->fallthrough();
    tunables->callback([this, tunables] {
      if (tunables->get_subcommands().empty()) request_.command = Command::tunables_get;
    });
    verb(*tunables, "get", "Show them (the default)", Command::tunables_get);
    verb(*tunables, "set", "Change some, all at once or not at all", Command::tunables_set)
        ->add_option("assignments", request_.assignments, "name=value with unit ns, us, ms or s")
        ->required();
  }

  void add_streams() {
    CLI::App* events = verb("events", "Hints, acknowledgements, escalations", Command::events);
    auto* count = events->add_option("--count", request_.count, "Stop after so many");
    count->capture_default_str()->check(CLI::PositiveNumber);
    events->add_option("--timeout", request_.timeout_s, "Stop after so many seconds")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 1e6));
    events->add_flag("--follow", request_.follow, "Go on until interrupted")->excludes(count);
    CLI::App* trace =
        verb("trace", "Record runs, hints and answers for ui.perfetto.dev", Command::trace);
    trace->add_option("--seconds", request_.seconds, "How long; Ctrl-C ends it early")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 3600.0));
    trace->add_option("-o,--output", request_.output, "The file to write")->required();
  }

  void add_tools() {
    verb("doctor", "What works on this host, and what to do about the rest", Command::doctor);
    verb("dump", "Everything for a bug report, as one JSON object", Command::dump)
        ->add_option("-o,--output", request_.output, "The file to write [standard output]");
    verb("completion", "Print a shell's completion script", Command::completion)
        ->add_option("shell", request_.shell)
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  }

  CLI::App& app_;
  Request& request_;
};

CLI::App make_app() { return CLI::App{"morpheusctl sees and steers morpheusd.", "morpheusctl"}; }

// CLI11 keeps a choice in the type's name: "TEXT:{observer,enforced}".
std::vector<std::string> choices_of(const CLI::Option& option) {
  std::vector<std::string> choices;
  const std::string type = option.get_type_name();
  const auto open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return choices;
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

Word word_of(const CLI::Option& option) {
  Word word;
  for (const auto& name : option.get_snames()) word.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) word.names.push_back("--" + name);
  word.help = option.get_description();
  word.takes_value = option.get_items_expected_max() > 0;
  word.choices = choices_of(option);
  return word;
}

Verb verb_of(const CLI::App& app) {
  Verb verb{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) verb.words.push_back(word_of(*option));
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    verb.verbs.push_back(verb_of(*sub));
  return verb;
}

// The verb whose arguments were wrong, for the hint at the end of the line.
std::string verb_in(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? "" : " " + chosen.front()->get_name() + verb_in(*chosen.front());
}

}  // namespace

std::variant<Request, Ended> parse_command_line(int argc, const char* const* argv) {
  CLI::App app = make_app();
  Request request;
  const Definition definition(app, request);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    app.exit(done);
    return Ended{};
  } catch (const CLI::ParseError& wrong) {
    const auto strays = app.remaining();
    const bool no_verb = app.get_subcommands().empty() && !strays.empty();
    std::cerr << "morpheusctl: "
              << (no_verb ? "there is no command " + strays.front() : wrong.what())
              << "; see morpheusctl" << verb_in(app) << " --help\n";
    return Ended{ExitStatus::usage};
  }
  return request;
}

Verb command_tree() {
  CLI::App app = make_app();
  Request request;
  const Definition definition(app, request);
  return verb_of(app);
}

}  // namespace morpheus::ctl
