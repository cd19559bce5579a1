// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/rights/peer.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <thread>

using namespace morpheus;
using namespace morpheus::daemon;

namespace {

Peer ourselves() {
  std::array<int, 2> fds{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()) == 0);
  const UniqueFd a(fds[0]), b(fds[1]);
  auto peer = Peer::of(a.get());
  REQUIRE(peer);
  return std::move(*peer);
}

class Child {
 public:
  Child() : pid_(::fork()) {
    if (pid_ == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

int pidfd_open(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace

TEST_CASE("a peer is known by its socket") {
  const Peer peer = ourselves();
  CHECK(peer.pid == ::getpid());
  CHECK(peer.uid == ::getuid());
  CHECK(is_alive(peer.pidfd.get()));
}

TEST_CASE("a thread of the peer can be opened, also one that is not its leader") {
  const Peer peer = ourselves();
  CHECK(open_thread_of(peer, ::gettid()));
  pid_t tid = 0;
  std::thread([&] {
    tid = ::gettid();
    auto thread = open_thread_of(peer, tid);
    REQUIRE(thread);
    CHECK(thread->tid == tid);
    CHECK(is_alive(thread->pidfd.get()));
  }).join();
  // join() returns a moment before the kernel has released the thread
  auto gone = open_thread_of(peer, tid);
  for (int i = 0; gone && i < 1000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    gone = open_thread_of(peer, tid);
  }
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == ESRCH);
}

TEST_CASE("a thread of somebody else is refused") {
  const Peer peer = ourselves();
  const Child child;
  CHECK(open_thread_of(peer, child.pid()).error().code == EPERM);
  CHECK(open_thread_of(peer, 1).error().code == EPERM);
  CHECK(open_thread_of(peer, 0).error().code == ESRCH);
  CHECK(open_thread_of(peer, -1).error().code == ESRCH);
}

TEST_CASE("only a pidfd names a thread") {
  const UniqueFd self(pidfd_open(::getpid()));
  CHECK(thread_of_pidfd(self.get()) == ::getpid());
  std::array<int, 2> pipe_fds{};
  REQUIRE(::pipe(pipe_fds.data()) == 0);
  const UniqueFd a(pipe_fds[0]), b(pipe_fds[1]);
  CHECK_FALSE(thread_of_pidfd(a.get()));
  CHECK_FALSE(thread_of_pidfd(-1));
}

TEST_CASE("a pidfd's text says which thread it is") {
  CHECK(parse_pidfd_info("pos:\t0\nflags:\t02\nPid:\t42\nNSpid:\t42\n") == 42);
  CHECK_FALSE(parse_pidfd_info("Pid:\t-1\n"));
  CHECK_FALSE(parse_pidfd_info("Pid:\t0\n"));
  CHECK_FALSE(parse_pidfd_info("NSpid:\t42\n"));
  CHECK_FALSE(parse_pidfd_info(""));
  CHECK(parse_pidfd_info("Pid:\t42") == 42);
}

TEST_CASE("a pidfd, even of a dead process, is told apart from other descriptors") {
  std::array<int, 2> sockets{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()) == 0);
  const UniqueFd a(sockets[0]), b(sockets[1]);
  CHECK_FALSE(is_pidfd(a.get()));
  CHECK_FALSE(is_pidfd(-1));
  UniqueFd pidfd;
  {
    const Child child;
    pidfd.reset(pidfd_open(child.pid()));
    CHECK(is_pidfd(pidfd.get()));
  }
  CHECK(is_pidfd(pidfd.get()));
  CHECK_FALSE(thread_of_pidfd(pidfd.get()));
}

TEST_CASE("a peer that is gone owns no thread, whoever has its number now") {
  Peer peer = ourselves();
  const pid_t gone = ::fork();
  if (gone == 0) {
    ::pause();
    ::_exit(0);
  }
  peer.pidfd.reset(pidfd_open(gone));
  ::kill(gone, SIGKILL);
  ::waitpid(gone, nullptr, 0);
  // the number is right and the thread lives, but the process that connected does not
  CHECK(open_thread_of(peer, ::gettid()).error().code == EPERM);
}
