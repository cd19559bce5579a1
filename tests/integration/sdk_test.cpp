// SPDX-License-Identifier: GPL-2.0-only
// The library against the real daemon: attach, hints, and a daemon that is killed and started again
// under a process that goes on.
#include <morpheus/attachment.hpp>
#include <morpheus/worker.hpp>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <thread>

#include "tests/programs/daemon_process.hpp"

using morpheus::test::DaemonProcess;
using morpheus::test::eventually;
using morpheus::test::Json;

namespace {

morpheus_options at(const std::string& socket) {
  morpheus_options options{};
  options.socket = socket.c_str();
  options.name = "sdk-test";
  options.max_workers = 8;
  return options;
}

bool is_guided(std::uint32_t workers) {
  return eventually([&] { return morpheus::attachment::status().guided == workers; });
}

/// Takes safe points until one gives up the CPU because of a hint.
bool yields_to_hint(morpheus::safe_point& here) {
  return eventually([&] { return here.checkpoint(); });
}

Json first_worker(const DaemonProcess& daemon) {
  auto client = daemon.connect();
  auto reply = client.call("io.morpheus.Control.ListWorkers");
  REQUIRE(reply);
  REQUIRE(reply->parameters["workers"].size() == 1);
  return reply->parameters["workers"][0];
}

}  // namespace

TEST_CASE("the real daemon registers a worker, hints it and sees its acknowledgements") {
  DaemonProcess daemon({"--fake-hint-ms", "5"});
  const std::string socket = daemon.socket();
  const morpheus::attachment attachment(at(socket));
  morpheus::worker self({.priority = 42, .policy = MORPHEUS_POLICY_THREAD_KICK});
  REQUIRE(is_guided(1));
  morpheus::safe_point here;
  CHECK(yields_to_hint(here));
  CHECK(yields_to_hint(here));

  const Json worker = first_worker(daemon);
  CHECK(worker["state"] == "RUNNING");
  CHECK(worker["priority"] == 42);
  CHECK(worker["escapable"] == true);
  CHECK(worker["tid"] == ::gettid());
  CHECK(worker["hints"] >= 2);
  CHECK(worker["last_yield_reason"] == "HINT");

  self.quiesce();
  CHECK(first_worker(daemon)["state"] == "QUIESCING");
}

TEST_CASE("a killed daemon's successor gets the process back with its workers") {
  DaemonProcess daemon({"--fake-hint-ms", "5"});
  const std::string socket = daemon.socket();
  const morpheus::attachment attachment(at(socket));
  morpheus::worker self({.priority = 42});
  morpheus::safe_point here;
  REQUIRE(yields_to_hint(here));
  for (int round = 0; round < 2; ++round) {
    CHECK(daemon.stop(SIGKILL) == -1);
    REQUIRE(
        eventually([] { return morpheus::attachment::status().link == MORPHEUS_LINK_WAITING; }));
    daemon.start();
    REQUIRE(is_guided(1));
    CHECK(yields_to_hint(here));
    CHECK(first_worker(daemon)["priority"] == 42);
    CHECK(first_worker(daemon)["state"] == "RUNNING");
  }
  CHECK(self.stats().rebinds >= 2);
}

TEST_CASE("threads that end are forgotten, and their lines can be used again") {
  DaemonProcess daemon;
  const std::string socket = daemon.socket();
  const morpheus::attachment attachment(at(socket));
  for (int i = 0; i < 20; ++i) {
    std::thread([] {
      (void)morpheus_worker_register(nullptr);
      (void)morpheus_worker_set_state(MORPHEUS_WORKER_RUNNING);
    }).join();
  }
  const morpheus::worker self;
  CHECK(morpheus::attachment::status().guided == 1);
  CHECK(first_worker(daemon)["tid"] == ::gettid());
}

TEST_CASE("the system's pressure comes through") {
  DaemonProcess daemon;
  const std::string socket = daemon.socket();
  const morpheus::attachment attachment(at(socket));
  CHECK(eventually([] { return morpheus::attachment::pressure().heartbeat_ns != 0; }));
  CHECK(morpheus::attachment::pressure().magic == MORPHEUS_SCB_MAGIC);
}
