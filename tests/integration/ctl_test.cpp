// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl against the real daemon: output and exit statuses.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <sstream>

#include "tests/programs/daemon_process.hpp"

using namespace morpheus::test;

TEST_CASE("status and lists, for people and for programs") {
  const DaemonProcess daemon;
  Attached a(daemon);
  const int slot = a.register_thread(::gettid());
  a.run(slot);
  CHECK(daemon.ctl({"status"}).out.find("observer") != std::string::npos);
  const auto status = Json::parse(daemon.ctl({"status", "--json"}).out);
  CHECK(status["schema_version"] == 1);
  CHECK(status["workers"] == 1);
  const auto workers = Json::parse(daemon.ctl({"workers", "--json"}).out);
  CHECK(workers["schema_version"] == 1);
  CHECK(workers["workers"][0]["tid"] == ::gettid());
  CHECK(workers["workers"][0]["state"] == "RUNNING");
  CHECK(daemon.ctl({"workers"}).out.find("RUNNING") != std::string::npos);
  const auto clients = Json::parse(daemon.ctl({"clients", "--json"}).out);
  CHECK(clients["clients"][0]["pid"] == ::getpid());
  CHECK(clients["clients"][0]["capacity"] == 64);
}

TEST_CASE("the mode is shown and changed") {
  const DaemonProcess daemon;
  CHECK(daemon.ctl({"mode"}).out == "observer\n");
  const auto changed = daemon.ctl({"mode", "enforced"});
  CHECK(changed.status == 0);
  CHECK(Json::parse(daemon.ctl({"mode", "--json"}).out) ==
        Json{{"mode", "enforced"}, {"in_force", true}, {"schema_version", 1}});
  CHECK(daemon.ctl({"mode", "loud"}).status == 2);
}

TEST_CASE("exit statuses tell what is wrong") {
  CHECK(run_program({program("daemon/ctl/morpheusctl"), "--socket", "/nonexistent/s", "status"}).status == 3);
  CHECK(run_program({program("daemon/ctl/morpheusctl"), "fly"}).status == 2);
  CHECK(run_program({program("daemon/ctl/morpheusctl")}).status == 2);
  CHECK(run_program({program("daemon/ctl/morpheusctl"), "--help"}).out.find("Exit status") != std::string::npos);

  DaemonProcess refusing({"--fake-refuse-enforced", "scheduler scx_x is loaded"});
  const auto refused = refusing.ctl({"mode", "enforced"});
  CHECK(refused.status == 77);
  CHECK(refused.err.find("scheduler scx_x is loaded") != std::string::npos);
  refusing.stop(SIGTERM);
  const auto log = refusing.log();
  const auto line = log.find("scx_x");
  REQUIRE(line != std::string::npos);
  CHECK(log.find("scx_x", line + 1) == std::string::npos);
  CHECK(log.find("were not logged") == std::string::npos);

  const DaemonProcess ejecting({std::string("--fake-eject")});
  CHECK(ejecting.ctl({"status"}).status == 0);
  CHECK(ejecting.ctl({"mode", "enforced"}).status == 0);
  const auto degraded = ejecting.ctl({"status"});
  CHECK(degraded.status == 4);
  CHECK(degraded.out.find("ejected by the fake kernel") != std::string::npos);
}

TEST_CASE("tunables are shown and changed with units") {
  const DaemonProcess daemon;
  CHECK(daemon.ctl({"tunables", "set", "slice=4ms", "grace=8ms"}).status == 0);
  const auto tunables = Json::parse(daemon.ctl({"tunables", "get", "--json"}).out);
  CHECK(tunables["tunables"]["slice_ns"] == 4'000'000);
  CHECK(tunables["tunables"]["grace_ns"] == 8'000'000);
  const auto wrong = daemon.ctl({"tunables", "set", "slice=1ns"});
  CHECK(wrong.status == 2);
  CHECK(wrong.err.find("slice_ns must be from") != std::string::npos);
  CHECK(daemon.ctl({"tunables", "set", "slice"}).status == 2);
}

TEST_CASE("events are streamed to several at once") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  a.run(a.register_thread(::gettid()));
  const auto lines = daemon.ctl({"events", "--count", "3"});
  CHECK(lines.status == 0);
  CHECK(std::count(lines.out.begin(), lines.out.end(), '\n') == 3);
  CHECK(lines.out.find("HINT") != std::string::npos);
  const auto batch = Json::parse(daemon.ctl({"events", "--count", "2", "--json"}).out);
  CHECK(batch["events"].size() == 2);
  CHECK(batch["schema_version"] == 1);

  auto first = daemon.connect(), second = daemon.connect();
  for (Client* client : {&first, &second}) {
    REQUIRE(client->call_more("io.morpheus.Control.Subscribe"));
    auto start = client->next_reply(Client::kDefaultTimeout);
    REQUIRE(start);
    CHECK(start->continues);
    auto events = client->next_reply(Client::kDefaultTimeout);
    REQUIRE(events);
    CHECK(events->parameters["events"].size() > 0);
    CHECK(events->parameters["events"][0]["tid"] == ::gettid());
  }
}
