// SPDX-License-Identifier: GPL-2.0-only
// Whether a new socket is noticed.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "sdk/src/client/socket_watch.hpp"

using morpheus::sdk::SocketWatch;

namespace {

struct Directory {
  std::string path = "/tmp/morpheus-watch-XXXXXX";
  Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
};

void touch(const std::string& path) {
  ::close(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

bool is_readable(const SocketWatch& watch) {
  pollfd watched{watch.fd(), POLLIN, 0};
  return ::poll(&watched, 1, 0) == 1;
}

}  // namespace

TEST_CASE("a socket that is made, or moved there, is news; other files are not") {
  const Directory directory;
  SocketWatch watch(directory.path + "/socket");
  watch.arm();
  REQUIRE(watch.fd() >= 0);
  CHECK_FALSE(watch.has_news());
  touch(directory.path + "/other");
  CHECK(is_readable(watch));
  CHECK_FALSE(watch.has_news());
  touch(directory.path + "/socket");
  CHECK(watch.has_news());
  CHECK_FALSE(watch.has_news());
  REQUIRE(::unlink((directory.path + "/socket").c_str()) == 0);
  REQUIRE(::rename((directory.path + "/other").c_str(), (directory.path + "/socket").c_str()) == 0);
  CHECK(watch.has_news());
}

TEST_CASE("directories on the way to the socket may come and go") {
  const Directory directory;
  const std::string a = directory.path + "/a";
  const std::string b = a + "/b";
  SocketWatch watch(b + "/socket");
  watch.arm();
  REQUIRE(::mkdir(a.c_str(), 0700) == 0);
  CHECK(watch.has_news());
  watch.arm();
  REQUIRE(::mkdir(b.c_str(), 0700) == 0);
  CHECK(watch.has_news());
  watch.arm();
  touch(b + "/socket");
  CHECK(watch.has_news());
  std::filesystem::remove_all(a);
  CHECK(watch.has_news());
  watch.arm();
  REQUIRE(::mkdir(a.c_str(), 0700) == 0);
  CHECK(watch.has_news());
}

TEST_CASE("a watch can be disarmed and armed again") {
  const Directory directory;
  SocketWatch watch(directory.path + "/socket");
  watch.arm();
  watch.disarm();
  CHECK(watch.fd() < 0);
  watch.arm();
  touch(directory.path + "/socket");
  CHECK(watch.has_news());
}
