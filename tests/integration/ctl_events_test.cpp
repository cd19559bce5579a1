// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl events: whose, when, and which of them.
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <sstream>

#include "proto/monotonic_clock.hpp"
#include "tests/programs/daemon_process.hpp"

using namespace morpheus::test;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

Json events(const DaemonProcess& daemon, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"events", "--json"});
  const auto ended = daemon.ctl(arguments);
  REQUIRE(ended.status == 0);
  return Json::parse(ended.out)["events"];
}

}  // namespace

TEST_CASE("events have a head, the time of day, and the names of process and thread") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  REQUIRE(::pthread_setname_np(::pthread_self(), "waiter") == 0);  // this thread's name only
  a.run(a.register_thread(::gettid()));
  auto other = daemon.connect();  // of the same process
  REQUIRE(other.call("io.morpheus.Worker.Attach", {{"version_major", MORPHEUS_SCB_VERSION_MAJOR},
                                                   {"version_minor", 0},
                                                   {"workers", 1},
                                                   {"name", "another name"}}));
  const auto ended = daemon.ctl({"events", "--count", "3", "--type", "hint"});
  CHECK(ended.status == 0);
  const auto lines = lines_of(ended.out);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].starts_with("TIME "));
  const auto clients = Json::parse(daemon.ctl({"clients", "--json"}).out)["clients"];
  const auto process = lines[0].find("PROCESS"), type = lines[0].find("TYPE");
  for (const auto& line : {lines[1], lines[2], lines[3]}) {
    CHECK(line.substr(type).starts_with("HINT "));
    CHECK(line.substr(process).starts_with(clients[0]["name"].get<std::string>() + "/waiter "));
  }
}

TEST_CASE("events are of after the call, and say when by the clock on the wall") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  a.run(a.register_thread(::gettid()));
  const auto begun = morpheus::monotonic_ns();
  const auto wall = static_cast<std::uint64_t>(::time(nullptr)) * 1'000'000'000;
  const auto shown = events(daemon, {"--count", "5"});
  REQUIRE(shown.size() == 5);
  for (const auto& event : shown) {
    CHECK(event["time_ns"] >= begun);
    CHECK(event["realtime_ns"] >= wall);
    CHECK(event["realtime_ns"] <= wall + 60'000'000'000);
    CHECK(event["pid"] == ::getpid());
    CHECK(event["thread"] == "waiter");
  }
}

TEST_CASE("events can be chosen by type, worker and process") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon), b(daemon);
  const int slot_a = a.register_thread(::gettid());
  a.run(slot_a);
  const auto worker = Json::parse(daemon.ctl({"workers", "--json"}).out)["workers"][0]["worker_id"];
  const auto of_worker = events(daemon, {"--count", "4", "--worker", worker.dump(), "--type",
                                         "HINT", "--pid", std::to_string(::getpid())});
  CHECK(of_worker.size() == 4);
  CHECK(std::ranges::all_of(of_worker, [&](const Json& event) {
    return event["worker_id"] == worker && event["type"] == "HINT";
  }));
  CHECK(events(daemon, {"--timeout", "0.5", "--worker", "4000000000"}).empty());
  CHECK(events(daemon, {"--timeout", "0.5", "--pid", "1"}).empty());
  CHECK(events(daemon, {"--timeout", "0.5", "--type", "EXIT"}).empty());
}
