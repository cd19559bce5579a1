// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/options.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "daemon/config/metrics_address.hpp"
#include "daemon/config/names.hpp"
#include "daemon/reload.hpp"

namespace morpheus::daemon {
namespace {

constexpr const char* kFooter = R"(SIGHUP reads the configuration file again.

Exit status:
  0   stopped cleanly (SIGTERM, SIGINT)
  64  usage: unknown option or value
  69  this kernel or machine cannot do what is asked; the message says what is missing
  75  another morpheusd runs on that socket
  77  no permission: loading BPF needs root, or CAP_BPF and CAP_PERFMON
  78  the configuration file is wrong; the message names the key

Examples:
  morpheusd                                   observe; steer with morpheusctl
  morpheusd --mode enforced                   attach the sched_ext scheduler at once
  morpheusd --backend fake --socket ./m.sock  no root, no kernel: for trying out clients)";

// The options of the command line. One that was not given is empty: the file's value holds.
struct Given {
  std::string config_path = kDefaultConfigPath;
  bool config_is_named = false;
  bool check_only = false;
  std::optional<std::string> socket, backend, mode, scope, admin_group, log_level, metrics;
};

void describe(CLI::App& app, Given& given, FakeOptions& fake) {
  app.footer(kFooter);
  app.set_version_flag("--version", "morpheusd " MORPHEUS_PROJECT_VERSION);
  app.add_option("--config", given.config_path, "Configuration file (JSON)")->capture_default_str();
  app.add_flag("--check-config", given.check_only,
               "Only read the configuration; status 78 if it is wrong");
  app.add_option("--socket", given.socket,
                 std::string("Where to listen [") + kDefaultSocketPath + "]")
      ->check([](const std::string& path) {
        const auto checked = check_socket_path(path);
        return checked ? std::string() : checked.error().what;
      });
  app.add_option("--backend", given.backend, "bpf (the kernel) or fake (nothing but the protocol)")
      ->check(CLI::IsMember({"bpf", "fake"}));
  app.add_option("--mode", given.mode,
                 "observer (hints only) or enforced (the sched_ext scheduler) [observer]")
      ->check(CLI::IsMember({"observer", "enforced"}));
  app.add_option(
         "--scope", given.scope,
         "Which threads Enforced mode schedules: all, or workers only, after all others [all]")
      ->check(CLI::IsMember({"all", "workers"}));
  app.add_option("--admin-group", given.admin_group,
                 "Members may change mode and tunables [morpheus]");
  app.add_option("--metrics", given.metrics,
                 "Serve metrics over HTTP on this loopback ADDRESS:PORT [off]")
      ->check([](const std::string& text) {
        const auto address = parse_metrics_address(text);
        return address ? std::string() : address.error().what;
      });
  app.add_option("--log-level", given.log_level, "[info]")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
  const char* group = "With --backend fake";
  app.add_option("--fake-hint-ms", fake.hint_interval_ms,
                 "Hint every running worker so often; 0 never")
      ->group(group);
  app.add_option("--fake-refuse-enforced", fake.refuse_enforced,
                 "Refuse Enforced mode with this sentence")
      ->group(group);
  app.add_flag("--fake-eject", fake.eject, "Lose the scheduler as soon as it is attached")
      ->group(group);
  app.add_flag("--fake-canary", fake.canary, "Watch over normal threads, as the real one does")
      ->group(group);
}

void apply(const Given& given, Config& config) {
  if (given.socket) config.socket = *given.socket;
  if (given.backend) config.backend = *given.backend;
  if (given.mode) config.mode = *mode_from(*given.mode);
  if (given.scope) config.scope = *scope_from(*given.scope);
  if (given.admin_group) {
    config.admin_group = *given.admin_group;
    config.admin_group_is_chosen = true;
  }
  if (given.metrics) config.metrics = *given.metrics;
  if (given.log_level) config.log_level = *given.log_level;
}

}  // namespace

std::optional<Options> parse_options(int argc, const char* const* argv) {
  CLI::App app{"morpheusd asks worker threads to yield when others wait for their CPU.",
               "morpheusd"};
  Given given;
  Options options;
  describe(app, given, options.fake);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    app.exit(done, std::cout, std::cerr);
    return std::nullopt;
  } catch (const CLI::ParseError& wrong) {
    throw StartError(ExitStatus::usage, std::string(wrong.what()) + "; see morpheusd --help");
  }
  given.config_is_named = app.count("--config") > 0;
  options.read_config = [given] {
    auto config = load_config(given.config_path, given.config_is_named);
    if (config) apply(given, *config);
    return config;
  };
  auto config = options.read_config();
  if (!config) throw StartError(ExitStatus::config, config.error().text());
  if (given.check_only) {
    (void)access_rules(*config);  // tells which groups do not exist
    return std::nullopt;
  }
  options.config = std::move(*config);
  return options;
}

}  // namespace morpheus::daemon
