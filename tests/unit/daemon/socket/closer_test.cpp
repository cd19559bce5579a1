// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/closer.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <thread>

#include "proto/varlink_socket.hpp"

using namespace morpheus;
using namespace morpheus::daemon;
using namespace std::chrono_literals;

namespace {

// A TCP connection over loopback whose close() blocks for the linger time: it lingers, and what was
// sent fills the buffers of a peer that does not read.
struct Lingering {
  UniqueFd listener, peer, socket;
  Lingering() {
    listener.reset(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    socklen_t size = sizeof(address);
    REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    (void)::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    peer.reset(::accept(listener.get(), nullptr, nullptr));
    pollfd watched{socket.get(), POLLOUT, 0};
    REQUIRE(::poll(&watched, 1, 1000) == 1);
    const linger on{1, 3};
    REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &on, sizeof(on)) == 0);
    std::array<char, 65536> junk{};
    while (::send(socket.get(), junk.data(), junk.size(), MSG_NOSIGNAL) > 0) {
    }
  }
};

std::chrono::steady_clock::duration time_of(auto action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::steady_clock::now() - start;
}

bool emptied(const Closer& closer, uid_t uid) {
  for (int i = 0; i < 2000 && closer.waiting(uid) > 0; ++i) std::this_thread::sleep_for(5ms);
  return closer.waiting(uid) == 0;
}

}  // namespace

TEST_CASE("closing a socket that lingers does not hold up the caller") {
  Lingering slow;
  Closer closer;
  FdList fds;
  fds.push_back(std::move(slow.socket));
  CHECK(time_of([&] { closer.close(1000, std::move(fds)); }) < 1s);
  CHECK(emptied(closer, 1000));
}

TEST_CASE("the sockets of these tests do block in close(), or the tests prove nothing") {
  Lingering slow;
  CHECK(time_of([&] { slow.socket.reset(); }) > 2s);
}

TEST_CASE("a connection with unread descriptors is closed aside, one without at once") {
  std::array<int, 2> pair{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()) == 0);
  UniqueFd ours(pair[0]), theirs(pair[1]);
  Lingering slow;
  const std::array one{slow.socket.get()};
  REQUIRE(varlink::send_some(theirs.get(), "x", one));
  slow.socket.reset(::dup(0));  // not the last reference: does not block
  Closer closer;
  CHECK(time_of([&] { closer.close_connection(1000, std::move(ours)); }) < 1s);
  CHECK(emptied(closer, 1000));
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()) == 0);
  const UniqueFd peer(pair[1]);
  closer.close_connection(1000, UniqueFd(pair[0]));
  CHECK(closer.waiting(1000) == 0);
}

TEST_CASE("pidfds are closed on the spot") {
  Closer closer;
  FdList fds;
  fds.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  closer.close(1000, std::move(fds));
  CHECK(closer.waiting(1000) == 0);
}
