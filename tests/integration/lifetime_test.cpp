// SPDX-License-Identifier: GPL-2.0-only
// The daemon's own life: start, stop, kill, restart, and what others see of it.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "proto/varlink_socket.hpp"
#include "tests/programs/daemon_process.hpp"

using namespace morpheus;
using namespace morpheus::test;

TEST_CASE("SIGTERM stops cleanly: heartbeat 0, socket gone, status 0") {
  DaemonProcess daemon;
  Attached a(daemon);
  const int status = daemon.stop(SIGTERM);
  CHECK(status == 0);
  CHECK(a.global().heartbeat_ns == 0);
  CHECK_FALSE(std::filesystem::exists(daemon.socket()));
}

TEST_CASE("after SIGKILL the memory stays, and a new daemon takes the socket over") {
  DaemonProcess daemon;
  Attached a(daemon);
  const int slot = a.register_thread(::gettid());
  daemon.stop(SIGKILL);
  CHECK(a.global().heartbeat_ns > 0);
  CHECK(a.kernel(slot).worker_state == MORPHEUS_WORKER_REGISTERED);
  const auto gone = a.client.call("io.morpheus.Control.GetStatus");
  CHECK(gone.error().kind == varlink::CallError::Kind::transport);
  CHECK(std::filesystem::exists(daemon.socket()));
  daemon.start();
  Attached again(daemon);
  auto registered =
      again.client.call("io.morpheus.Worker.Register", {{"tid", ::gettid()}, {"last_ack_seq", 7}});
  REQUIRE(registered);
  CHECK(again.kernel(registered->parameters["slot"]).preempt_seq == 8);
}

TEST_CASE("SIGHUP reads the configuration again, and clients stay") {
  DaemonProcess daemon;
  Attached a(daemon);
  const auto tunables = [&] {
    auto reply = a.client.call("io.morpheus.Control.GetTunables");
    REQUIRE(reply);
    return reply->parameters["tunables"];
  };
  REQUIRE(a.client.call("io.morpheus.Control.SetTunables", {{"grace_ns", 20'000'000}}));
  daemon.configure({{"limits", {{"workers_per_client", 2}}}});
  ::kill(daemon.pid(), SIGHUP);
  REQUIRE(eventually([&] { return daemon.log().find("was read again") != std::string::npos; }));
  CHECK(tunables()["grace_ns"] == 20'000'000);  // the file has not changed it
  auto other = daemon.connect();
  auto refused = other.call("io.morpheus.Worker.Attach",
                            {{"version_major", 1}, {"version_minor", 0}, {"workers", 3}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().parameters["what"] == "workers_per_client");
  daemon.configure({{"tunables", {{"slice_ns", 4'000'000}}}, {"mode", "enforced"}});
  ::kill(daemon.pid(), SIGHUP);
  REQUIRE(eventually([&] { return tunables()["slice_ns"] == 4'000'000; }));
  REQUIRE(eventually([&] {
    auto status = other.call("io.morpheus.Control.GetStatus");
    return status && status->parameters["mode"] == "enforced";
  }));
  CHECK(daemon.stop(SIGTERM) == 0);
}

TEST_CASE("SIGHUP changes how often a scheduler is attached again") {
  DaemonProcess daemon({"--fake-eject"}, {{"scheduler_restarts", 0}});
  auto client = daemon.connect();
  const auto gives_up_after = [&](int ejections) {
    if (!client.call("io.morpheus.Control.SetMode", {{"mode", "enforced"}})) return false;
    return eventually([&] {
      auto status = client.call("io.morpheus.Control.GetStatus");
      return status && status->parameters["scheduler"]["gave_up"] == true &&
             status->parameters["scheduler"]["ejections"] == ejections;
    });
  };
  CHECK(gives_up_after(1));
  daemon.configure({{"limits", {{"scheduler_restarts", 1}, {"scheduler_backoff_ms", 1}}}});
  ::kill(daemon.pid(), SIGHUP);
  REQUIRE(eventually([&] { return daemon.log().find("was read again") != std::string::npos; }));
  CHECK(gives_up_after(2));
}

TEST_CASE("a configuration that is wrong when it is read again changes nothing") {
  DaemonProcess daemon;
  Attached a(daemon);
  daemon.configure({{"tunables", {{"slice_ns", 4'000'000}}}, {"limits", {{"workerz", 1}}}});
  ::kill(daemon.pid(), SIGHUP);
  REQUIRE(eventually(
      [&] { return daemon.log().find("limits.workerz: unknown key") != std::string::npos; }));
  auto reply = a.client.call("io.morpheus.Control.GetTunables");
  REQUIRE(reply);
  CHECK(reply->parameters["tunables"]["slice_ns"] == 5'000'000);
}

TEST_CASE("a daemon goes on when its log is no longer read") {
  const TempDir dir;
  int log[2];
  REQUIRE(::pipe2(log, O_CLOEXEC) == 0);
  UniqueFd reader(log[0]);
  UniqueFd writer(log[1]);
  const std::string socket = dir.path + "/s";
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    ::dup2(writer.get(), STDERR_FILENO);
    const auto daemon = program("daemon/morpheusd");
    ::execl(daemon.c_str(), "morpheusd", "--backend", "fake", "--socket", socket.c_str(), nullptr);
    ::_exit(127);
  }
  writer.reset();
  REQUIRE(eventually([&] { return varlink::connect_unix(socket).has_value(); }));
  reader.reset();
  auto client = Client::connect(socket);
  REQUIRE(client);
  CHECK_FALSE(client->call("io.morpheus.Worker.Fly"));  // is logged
  CHECK(client->call("io.morpheus.Control.GetStatus"));
  ::kill(pid, SIGTERM);
  int status = -1;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("a missing admin group is a warning only if the operator named it") {
  const std::string missing = "group 'morpheus-no-such-group' does not exist";
  DaemonProcess named({"--admin-group", "morpheus-no-such-group"});
  named.stop(SIGTERM);
  CHECK(named.log().find("[warning] " + missing) != std::string::npos);
  DaemonProcess unnamed;
  unnamed.stop(SIGTERM);
  CHECK(unnamed.log().find("[warning]") == std::string::npos);
}

TEST_CASE("a second daemon on the same socket ends with 75 and harms nothing") {
  const DaemonProcess daemon;
  const auto second =
      run_program({program("daemon/morpheusd"), "--backend", "fake", "--socket", daemon.socket()});
  CHECK(second.status == 75);
  CHECK(second.err.find("another morpheusd") != std::string::npos);
  auto client = daemon.connect();
  CHECK(client.call("io.morpheus.Control.GetStatus"));
}

TEST_CASE("what is wrong at the start has its exit status and one line") {
  const TempDir dir;
  const auto start = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {program("daemon/morpheusd"), "--socket", dir.path + "/s"});
    auto finished = run_program(arguments);
    return finished;
  };
  CHECK(start({"--bogus"}).status == 64);
  CHECK(start({"--backend", "magic"}).status == 64);
  const auto no_path = run_program({program("daemon/morpheusd"), "--socket", ""});
  CHECK(no_path.status == 64);
  CHECK(no_path.err.find("--socket: must be a path of 1 to 107 bytes") != std::string::npos);
  // a file where the directory should be, which not even root can change
  std::ofstream(dir.path + "/file") << "x";
  const auto no_directory = run_program({program("daemon/morpheusd"), "--backend", "fake",
                                         "--socket", dir.path + "/file/run/m.sock"});
  CHECK(no_directory.status == 69);
  CHECK(no_directory.err.find("make the directory " + dir.path + "/file/run: Not a directory") !=
        std::string::npos);
  CHECK(start({"--config", dir.path + "/missing"}).status == 78);
  std::ofstream(dir.path + "/config") << R"({"limits": {"workerz": 1}})";
  const auto config = start({"--config", dir.path + "/config"});
  CHECK(config.status == 78);
  CHECK(config.err.find("limits.workerz: unknown key") != std::string::npos);
  CHECK(std::count(config.err.begin(), config.err.end(), '\n') == 1);
  const auto refused = start(
      {"--backend", "fake", "--mode", "enforced", "--fake-refuse-enforced", "no sched_ext here"});
  CHECK(refused.status == 69);
  CHECK(refused.err.find("no sched_ext here") != std::string::npos);
  CHECK(start({"--check-config", "--config", dir.path + "/config"}).status == 78);
  std::ofstream(dir.path + "/config") << R"({"limits": {"workers": 1}})";
  CHECK(start({"--check-config", "--config", dir.path + "/config"}).status == 0);
  CHECK(start({"--help"}).out.find("Exit status") != std::string::npos);
}

// A service manager: what it is told, one datagram after the other.
class NotifySocket {
 public:
  NotifySocket() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    const timeval patience{5, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  }
  ~NotifySocket() { ::unsetenv("NOTIFY_SOCKET"); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  /// Whether it is told this at last, after other things.
  [[nodiscard]] bool hears(const std::string& wanted) const {
    std::array<char, 512> buffer{};
    while (true) {
      const auto size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (size <= 0) return false;
      const std::string state(buffer.data(), static_cast<std::size_t>(size));
      if (state.substr(0, wanted.size()) == wanted) return true;
    }
  }

 private:
  TempDir dir_;
  std::string path_ = dir_.path + "/notify";
  UniqueFd socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

TEST_CASE(
    "systemd is told when the daemon is ready, that it lives, when it reads its configuration and "
    "when it stops") {
  const NotifySocket manager;
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  DaemonProcess daemon;
  ::unsetenv("WATCHDOG_USEC");
  CHECK(manager.hears("READY=1"));
  CHECK(manager.hears("WATCHDOG=1"));
  ::kill(daemon.pid(), SIGHUP);
  CHECK(manager.hears("RELOADING=1\nMONOTONIC_USEC="));
  CHECK(manager.hears("READY=1"));
  daemon.stop(SIGTERM);
  CHECK(manager.hears("STOPPING=1"));
}

TEST_CASE("systemctl status shows the mode, whether it is in force, clients and workers") {
  const NotifySocket manager;
  DaemonProcess daemon({"--fake-eject"}, {{"scheduler_restarts", 0}});
  CHECK(manager.hears("STATUS=Observer mode; clients: 0, workers: 0"));
  Attached a(daemon);
  a.register_thread(::gettid());
  CHECK(manager.hears("STATUS=Observer mode; clients: 1, workers: 1"));
  REQUIRE(a.client.call("io.morpheus.Control.SetMode", {{"mode", "enforced"}}));
  CHECK(manager.hears(
      "STATUS=Enforced mode is not in force (ejected by the fake kernel); clients: 1, "
      "workers: 1"));
}
