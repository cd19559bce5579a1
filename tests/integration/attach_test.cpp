// SPDX-License-Identifier: GPL-2.0-only
// What an attached client may do with its memory, and what it may not.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>

#include "tests/programs/daemon_process.hpp"

using namespace morpheus;
using namespace morpheus::test;

namespace {

// Tries the ways in which a holder of the descriptor could write; the number of the one that works,
// or 0.
int ways_to_write(int fd, bool may_reopen) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (Mapping::shared(fd, 4096, PROT_READ | PROT_WRITE)) return 1;
  if (::ftruncate(fd, 0) == 0 || ::ftruncate(fd, 1 << 20) == 0) return 2;
  if (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0) return 3;
  if (::pwrite(fd, "x", 1, 0) == 1) return 4;
  const UniqueFd again(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (again && !may_reopen) return 5;
  if (again && Mapping::shared(again.get(), 4096, PROT_READ | PROT_WRITE)) return 6;
  if (again && ::pwrite(again.get(), "x", 1, 0) == 1) return 7;
  if (again && ::fallocate(again.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0)
    return 8;
  auto mapping = Mapping::shared(fd, 4096, PROT_READ);
  if (!mapping) return 9;
  if (::mprotect(mapping->data(), 4096, PROT_READ | PROT_WRITE) == 0) return 10;
  return 0;
}

// Runs `body` in a child as an ordinary user and returns its result.
template <class Body>
int as_nobody(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    constexpr uid_t kNobody = 65534;
    if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(99);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int attach_and_try_to_write(const DaemonProcess& daemon) {
  auto client = Client::connect(daemon.socket());
  if (!client) return 50;
  auto attached = client->call("io.morpheus.Worker.Attach",
                               {{"version_major", 1}, {"version_minor", 0}, {"workers", 1}});
  if (!attached || attached->fds.size() != 3) return 51;
  // the seal alone would keep it from writing, too: each is there in case the other one fails
  for (const std::size_t read_only : {0U, 2U})
    if ((::fcntl(attached->fds[read_only].get(), F_GETFL) & O_ACCMODE) != O_RDONLY) return 52;
  const int kernel = ways_to_write(attached->fds[0].get(), false);
  const int global = ways_to_write(attached->fds[2].get(), false);
  return kernel != 0 ? kernel : global == 0 ? 0 : global + 20;
}

}  // namespace

TEST_CASE("a client sees hints come into memory that it cannot write") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  const int slot = a.register_thread(::gettid());
  CHECK(a.kernel(slot).worker_state == MORPHEUS_WORKER_REGISTERED);
  a.run(slot);
  CHECK(a.kernel(slot).worker_state == MORPHEUS_WORKER_RUNNING);
  REQUIRE(eventually([&] { return a.kernel(slot).preempt_seq == 1; }));
  a.runtime(slot).last_ack_seq = 1;
  CHECK(eventually([&] { return a.kernel(slot).preempt_seq == 2; }));
  CHECK(a.global().magic == MORPHEUS_SCB_MAGIC);
  CHECK(a.global().heartbeat_ns > 0);
  CHECK(ways_to_write(a.fds[0].get(), true) == 0);
  CHECK(ways_to_write(a.fds[2].get(), true) == 0);
}

TEST_CASE("the runtime lines are writable, and of fixed size") {
  const DaemonProcess daemon;
  const Attached a(daemon);
  CHECK(Mapping::shared(a.fds[1].get(), 4096, PROT_READ | PROT_WRITE));
  CHECK(::ftruncate(a.fds[1].get(), 0) == -1);
  CHECK(::ftruncate(a.fds[1].get(), 1 << 20) == -1);
}

TEST_CASE("an ordinary user can attach and cannot write either, nor open it again") {
  if (::getuid() != 0) SKIP("needs root, to become another user than the daemon's");
  const DaemonProcess daemon;
  CHECK(as_nobody([&] { return attach_and_try_to_write(daemon); }) == 0);
}

TEST_CASE("an ordinary user is refused what changes things") {
  if (::getuid() != 0) SKIP("needs root, to become another user than the daemon's");
  const DaemonProcess daemon;
  const auto refused = [&](const char* method, const Json& parameters) {
    return as_nobody([&] {
      auto client = Client::connect(daemon.socket());
      if (!client) return 50;
      auto reply = client->call(method, parameters);
      return !reply && reply.error().is("org.varlink.service.PermissionDenied") ? 0 : 1;
    });
  };
  CHECK(refused("io.morpheus.Control.SetMode", {{"mode", "enforced"}}) == 0);
  CHECK(refused("io.morpheus.Control.SetTunables", {{"slice_ns", 4000000}}) == 0);
  constexpr int kNobody = 65534;
  const int ctl_status = daemon.ctl({"mode", "enforced"}, kNobody).status;
  CHECK(ctl_status == 1);
  CHECK(daemon.ctl({"mode"}).out == "observer\n");
}

TEST_CASE("a client that is killed leaves nothing behind") {
  const DaemonProcess daemon;
  const pid_t child = ::fork();
  if (child == 0) {
    Attached a(daemon);
    a.run(a.register_thread(::gettid()));
    ::pause();
  }
  auto watcher = daemon.connect();
  const auto workers = [&] {
    auto status = watcher.call("io.morpheus.Control.GetStatus");
    REQUIRE(status);
    return status->parameters["workers"].get<int>() + status->parameters["clients"].get<int>();
  };
  REQUIRE(eventually([&] { return workers() == 2; }));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(eventually([&] { return workers() == 0; }));
}

TEST_CASE("a client's death is seen although its child still holds the socket") {
  const DaemonProcess daemon;
  std::array<int, 2> held{};  // until this process closes its end
  REQUIRE(::pipe2(held.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Attached a(daemon);
    const int flags = ::fcntl(a.client.fd(), F_GETFD);
    ::fcntl(a.client.fd(), F_SETFD, flags & ~FD_CLOEXEC);
    if (::fork() == 0) {
      ::close(held[1]);
      char byte = 0;
      (void)!::read(held[0], &byte, 1);
      ::_exit(0);
    }
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  auto watcher = daemon.connect();
  CHECK(eventually([&] {
    auto status = watcher.call("io.morpheus.Control.GetStatus");
    return status && status->parameters["clients"] == 0;
  }));
  ::close(held[0]);
  ::close(held[1]);
}

TEST_CASE("a foreign thread is refused by name") {
  const DaemonProcess daemon;
  Attached a(daemon);
  auto refused = a.client.call("io.morpheus.Worker.Register", {{"tid", daemon.pid()}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is("io.morpheus.Worker.ThreadNotYours"));
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  refused = a.client.call("io.morpheus.Worker.Register", {{"tid", child}});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is("io.morpheus.Worker.ThreadNotYours"));
  CHECK(refused.error().parameters["tid"] == child);
}
