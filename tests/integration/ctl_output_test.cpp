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
       {"status", "status --json", "workers", "metrics", "doctor", "dump", "completion bash",
        "top -n 1 -d 0.1", "events --count 1", "events --follow", "trace --seconds 0.1 -o -"}) {
    const auto ended = in_shell(daemon, "ctl " + command + " >/dev/full");
    CAPTURE(command, ended.err);
    CHECK(ended.status == 1);
    CHECK(ended.err.find("No space left on device") != std::string::npos);
  }
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
