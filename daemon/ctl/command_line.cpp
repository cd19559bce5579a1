// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/command_line.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <type_traits>

#include "daemon/ctl/help_text.hpp"

namespace morpheus::ctl {
namespace {

constexpr std::size_t kLongestEcho = 20;  // of a wrong value, in a message
constexpr int kDigits = 10;               // of a bound
constexpr const char* kFile = "FILE";     // a value that shells complete as a file's name

/// A number from `least` to `most`. CLI11's own checks take "nan", and print all 310 digits of
/// 1e309; its conversion makes the largest number of any that is too large.
template <class Number>
CLI::Validator between(Number least, Number most) {
  std::ostringstream bounds;
  bounds << std::setprecision(kDigits) << least;
  const std::string from = bounds.str();
  bounds.str({});
  bounds << most;
  const std::string to = bounds.str();
  const auto check = [=](const std::string& given) -> std::string {
    Number value{};
    const char* end = given.data() + given.size();
    const auto parsed = std::from_chars(given.data(), end, value);
    if (parsed.ec == std::errc{} && parsed.ptr == end && value >= least && value <= most) return {};
    return std::string("must be a ") + (std::is_integral_v<Number> ? "whole " : "") +
           "number from " + from + " to " + to + ", not " + given.substr(0, kLongestEcho);
  };
  return {check, "in [" + from + " - " + to + "]"};
}

CLI::Validator seconds(double least, double most) { return between<double>(least, most); }
CLI::Validator how_many() { return between<std::uint64_t>(1, 1'000'000'000); }
CLI::Validator worker_id() { return between<std::uint64_t>(0, 0xffff'ffff); }
CLI::Validator process_id() { return between<std::uint64_t>(1, 4'194'304); }  // Linux's own bound

class Definition {
 public:
  Definition(CLI::App& app, Request& request) : app_(app), request_(request) {
    app.footer(help_below(""));
    app.require_subcommand(1);
    app.fallthrough();
    app.set_version_flag("--version", "morpheusctl " MORPHEUS_PROJECT_VERSION);
    app.add_option("--socket", request.socket, "The socket of morpheusd")
        ->envname("MORPHEUS_SOCKET")  // as the library's
        ->type_name(kFile)
        ->capture_default_str();
    app.add_flag("--json", request.json, "Print JSON objects, each with schema_version");
    add_views();
    add_changes();
    add_streams();
    add_looks();
    add_tools();
  }

 private:
  CLI::App* verb(CLI::App& to, const char* name, const char* what, Command command) {
    CLI::App* sub = to.add_subcommand(name, what);
    if (&to == &app_) sub->footer(help_below(name));
    sub->callback([this, command] { request_.command = command; });
    return sub;
  }
  CLI::App* verb(const char* name, const char* what, Command command) {
    return verb(app_, name, what, command);
  }

  void add_views() {
    verb("status", "Mode, scheduler, counters, latency, pressure", Command::status);
    verb("last-exit", "Why the kernel last ended the scheduler, with its dump", Command::last_exit);
    verb("clients", "All attached processes", Command::clients);
    verb("workers", "All registered threads, with their hints and escalations", Command::workers);
    verb("stats", "Counts by reason; histograms of acknowledgement latency and waits",
         Command::stats);
    verb("metrics", "What the metrics endpoint serves, as OpenMetrics text", Command::metrics);
    CLI::App* top = verb("top", "Live: each worker's CPU, waits, hints, escalations", Command::top);
    top->add_option("-d,--interval", request_.interval_s, "Seconds between two updates")
        ->capture_default_str()
        ->check(seconds(0.1, 60));
    top->add_option("-n,--iterations", request_.iterations,
                    "How many updates [endless on a terminal, else 1]")
        ->check(how_many());
    top->add_option("-s,--sort", request_.sort, "Sort by this column, largest first")
        ->capture_default_str()
        ->check(CLI::IsMember(
            {"cpu", "wait", "kept", "hints", "acknowledged", "lost", "escalated", "worker"}));
  }

  void add_changes() {
    verb("mode", "Show the mode, or change it", Command::mode)
        ->add_option("mode", request_.mode, "observer or enforced")
        ->check(CLI::IsMember({"observer", "enforced"}));
    CLI::App* tunables =
        app_.add_subcommand("tunables", "Show or change the tunables, the scheduler's times");
    tunables->footer(help_below("tunables"));
    tunables->require_subcommand(0, 1)->fallthrough();
    tunables->callback([this, tunables] {
      if (tunables->get_subcommands().empty()) request_.command = Command::tunables_get;
    });
    verb(*tunables, "get", "Show them (the default)", Command::tunables_get);
    verb(*tunables, "set", "Change one or more, all at once or not at all", Command::tunables_set)
        ->add_option("assignments", request_.assignments, "name=value; units ns, us, ms, s")
        ->required();
  }

  void add_streams() {
    CLI::App* events =
        verb("events", "Hints, acknowledgements and escalations as they happen", Command::events);
    auto* count = events->add_option("--count", request_.count, "Stop after this many events");
    count->capture_default_str()->check(how_many());
    events->add_option("--timeout", request_.timeout_s, "Stop after this many seconds")
        ->capture_default_str()
        ->check(seconds(0, 1'000'000));
    events->add_flag("--follow", request_.follow, "Run until interrupted")->excludes(count);
    events->add_option("--type", request_.types, "Only events of this type; may be repeated")
        ->allow_extra_args(false)
        ->transform(CLI::IsMember({"HINT", "ACKNOWLEDGED", "WITHDRAWN", "LOST", "ESCALATED",
                                   "BLOCKED", "OVERRUN", "EXIT", "THROTTLED", "UNTHROTTLED"},
                                  CLI::ignore_case));
    events->add_option("--worker", request_.workers, "Only of this worker; may be repeated")
        ->allow_extra_args(false)
        ->check(worker_id());
    events->add_option("--pid", request_.pids, "Only of this process; may be repeated")
        ->allow_extra_args(false)
        ->check(process_id());
  }

  void add_output(CLI::App* writer) {
    writer->add_option("-o,--output", request_.output, "The file to write; - is standard output")
        ->type_name(kFile)
        ->required();
  }

  void add_looks() {
    CLI::App* blame =
        verb("blame", "Who keeps threads waiting, and where in its code", Command::blame);
    blame->add_option("--seconds", request_.seconds, "How long to look; Ctrl-C stops early")
        ->capture_default_str()
        ->check(seconds(0.1, 3600));
    blame->add_option("--worker", request_.workers, "Only this worker; may be repeated")
        ->allow_extra_args(false)
        ->check(worker_id());
    blame->add_option("--pid", request_.pids, "Only this process; may be repeated")
        ->allow_extra_args(false)
        ->check(process_id());
    blame->add_flag("--folded", request_.folded,
                    "Print stacks for flame graph tools, with microseconds");
    blame->add_flag("--svg", request_.svg, "Print a flame graph as an SVG picture")
        ->excludes("--folded");
    CLI::App* trace =
        verb("trace", "Record runs, hints and escalations for ui.perfetto.dev", Command::trace);
    trace->add_option("--seconds", request_.seconds, "How long to record; Ctrl-C stops early")
        ->capture_default_str()
        ->check(seconds(0.1, 3600));
    add_output(trace);
    CLI::App* report = verb("report", "The worst 200 ms, who and where, as one page for a browser",
                            Command::report);
    report->add_option("--seconds", request_.seconds, "How long to look; Ctrl-C stops early")
        ->capture_default_str()
        ->check(seconds(0.1, 600));
    add_output(report);
  }

  void add_tools() {
    verb("doctor", "What works on this host, and what to do about the rest", Command::doctor);
    verb("dump", "Everything for a bug report, as one JSON object", Command::dump)
        ->add_option("-o,--output", request_.output, "The file to write; - is standard output")
        ->type_name(kFile)
        ->capture_default_str();
    verb("completion", "Print a shell's completion script", Command::completion)
        ->add_option("shell", request_.shell)
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  }

  CLI::App& app_;
  Request& request_;
};

CLI::App make_app() {
  return CLI::App{"morpheusctl inspects and controls morpheusd.", "morpheusctl"};
}

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
  word.takes_file = option.get_type_name().starts_with(kFile);
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

// The verb with the wrong arguments, for the advice at the end of the line.
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
    std::ostringstream text;
    app.exit(done, text);
    return Ended{ExitStatus::ok, text.str()};
  } catch (const CLI::ParseError& wrong) {
    const auto strays = app.remaining();
    const bool no_verb = app.get_subcommands().empty() && !strays.empty();
    std::cerr << "morpheusctl: "
              << (no_verb ? "there is no command " + strays.front() : wrong.what())
              << "; see morpheusctl" << verb_in(app) << " --help\n";
    return Ended{ExitStatus::usage, {}};
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
