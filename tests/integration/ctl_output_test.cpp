// SPDX-License-Identifier: GPL-2.0-only
// Where morpheusctl's results go, and that none is lost in silence.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "tests/programs/daemon_process.hpp"
#include "tests/programs/trace_check.hpp"

using namespace morpheus::test;

namespace {

Finished in_shell(const DaemonProcess& daemon, const std::string& command) {
  return run_program({"/bin/sh", "-c",
                      "ctl() { MORPHEUS_SOCKET='" + daemon.socket() + "' '" +
                          program("daemon/ctl/morpheusctl") + "' \"$@\"; }; " + command});
}

}  // namespace

TEST_CASE("the environment names the socket, and an option overrides it") {
  const DaemonProcess daemon;
  CHECK(in_shell(daemon, "ctl mode").out == "observer\n");
  CHECK(in_shell(daemon, "ctl --socket /nonexistent mode").status == 3);
}

TEST_CASE("output that cannot be written is a failure, and is named") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  a.run(a.register_thread(::gettid()));
  for (const std::string command :
       {"--help", "--version", "top --help", "status", "status --json", "workers", "metrics",
        "doctor", "dump", "completion bash", "top -n 1 -d 0.1", "events --count 1",
        "events --follow", "trace --seconds 0.1 -o -"}) {
    const auto ended = in_shell(daemon, "ctl " + command + " >/dev/full");
    CAPTURE(command, ended.err);
    CHECK(ended.status == 1);
    CHECK(ended.err.find("No space left on device") != std::string::npos);
  }
}

TEST_CASE("a trace that cannot be written ends at once") {
  const DaemonProcess daemon({"--fake-hint-ms", "1"});
  Attached a(daemon);
  a.run(a.register_thread(::gettid()));
  const auto ended = in_shell(daemon, "ctl trace --seconds 3600 -o - >/dev/full");
  CHECK(ended.status == 1);
  CHECK(ended.err == "morpheusctl: cannot write to standard output: No space left on device\n");
}

TEST_CASE("output into a closed pipe is a failure, also where nothing is printed for long") {
  const DaemonProcess daemon;
  for (const std::string command : {"status", "--help", "completion zsh", "events --follow"}) {
    const auto silent = in_shell(daemon, "{ sleep 0.3; ctl " + command + "; echo $? >&2; } | true");
    CAPTURE(command, silent.err);
    CHECK(silent.err == "141\n");  // of SIGPIPE, as a shell expects
    const auto ended =
        in_shell(daemon, "trap '' PIPE; { sleep 0.3; ctl " + command + "; echo $? >&2; } | true");
    CHECK(ended.err == "morpheusctl: cannot write to standard output: Broken pipe\n1\n");
  }
}

TEST_CASE("each hint ends in one way, also that of a worker that never answers") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  auto reader = daemon.connect();
  Json counters;
  const auto ended = [&] {
    auto status = reader.call("io.morpheus.Control.GetStatus");
    REQUIRE(status);
    counters = status->parameters["counters"];
    return counters["acknowledged"].get<int>() + counters["withdrawn"].get<int>();
  };
  {
    Attached deaf(daemon);
    deaf.run(deaf.register_thread(::gettid()));
    REQUIRE(eventually([&] { return ended() > 3; }));
    const int open = counters["hints"].get<int>() - ended();
    CHECK((open == 0 || open == 1));
    CHECK(counters["lost"].get<int>() >=
          ended());  // how late they were is told apart from how they ended
  }
  REQUIRE(eventually([&] {
    auto status = reader.call("io.morpheus.Control.GetStatus");
    return status && status->parameters["clients"] == 0;
  }));
  CHECK(ended() == counters["hints"].get<int>());
  const auto text = in_shell(daemon, "ctl stats").out;
  CHECK(text.starts_with("hints "));
  CHECK(text.find(" withdrawn, 0 open; ") != std::string::npos);
  const auto metrics = in_shell(daemon, "ctl metrics").out;
  const auto hints = std::to_string(counters["hints"].get<int>());
  CHECK(metrics.find("morpheus_hints_total{reason=\"PRESSURE\"} " + hints + "\n") !=
        std::string::npos);
  CHECK(metrics.find("morpheus_withdrawn_total " + hints + "\n") != std::string::npos);
}

TEST_CASE("a file named - is standard output") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  a.run(a.register_thread(::gettid()));
  const TempDir dir;
  const auto ended = in_shell(daemon, "cd '" + dir.path +
                                          "' && ctl trace --seconds 0.3 -o - >trace.json && "
                                          "ctl trace --seconds 0.3 -o - | cat && ctl dump -o -");
  CAPTURE(ended.err);
  CHECK(ended.status == 0);
  CHECK_FALSE(std::filesystem::exists(dir.path + "/-"));
  const auto dump = ended.out.rfind("\n{\"");
  REQUIRE(dump != std::string::npos);
  CHECK(faults_of_trace(Json::parse(ended.out.substr(0, dump))) == std::vector<std::string>{});
  CHECK(Json::parse(ended.out.substr(dump)).contains("doctor"));
  std::ifstream file(dir.path + "/trace.json");
  CHECK(faults_of_trace(Json::parse(file)) == std::vector<std::string>{});
}
