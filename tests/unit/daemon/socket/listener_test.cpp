// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/listener.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "proto/varlink_socket.hpp"

using namespace morpheus;
using morpheus::daemon::Listener;

namespace {
struct TempDir {
  TempDir() {
    char name[] = "/tmp/morpheus-listener-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~TempDir() { std::filesystem::remove_all(path); }
  std::string path;
};
}  // namespace

TEST_CASE("a socket is made with its directory and mode, and removed at the end") {
  const TempDir dir;
  const std::string path = dir.path + "/new/m.sock";
  {
    auto listener = Listener::lock(path);
    REQUIRE(listener);
    CHECK_FALSE(varlink::connect_unix(path));
    REQUIRE(listener->listen(0640));
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0640);
    CHECK(varlink::connect_unix(path));
    auto second = Listener::lock(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == EWOULDBLOCK);
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(Listener::lock(path));
}

TEST_CASE("a file that is no socket is left alone") {
  const TempDir dir;
  const std::string path = dir.path + "/file";
  std::ofstream(path) << "precious";
  auto listener = Listener::lock(path);
  REQUIRE(listener);
  CHECK_FALSE(listener->listen(0666));
  CHECK(std::filesystem::file_size(path) == 8);
}

TEST_CASE("nothing is inherited unless systemd says so") {
  auto inherited = Listener::inherited();
  REQUIRE_FALSE(inherited);
  CHECK(inherited.error().code == ENOENT);
}
