// SPDX-License-Identifier: GPL-2.0-only
#include "proto/varlink_client.hpp"

#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <catch2/catch_test_macros.hpp>

#include "proto/memfd.hpp"
#include "proto/varlink_socket.hpp"

using namespace morpheus;
using namespace morpheus::varlink;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

struct Pair {
  UniqueFd ours, theirs;
};

Pair make_pair() {
  std::array<int, 2> fds{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

void write_all(int fd, const std::string& bytes, std::span<const int> fds = {}) {
  REQUIRE(send_some(fd, bytes, fds) == bytes.size());
}

ino_t inode(int fd) {
  struct stat info{};
  REQUIRE(::fstat(fd, &info) == 0);
  return info.st_ino;
}

}  // namespace

TEST_CASE("a call carries descriptors there and back") {
  auto [ours, theirs] = make_pair();
  auto memory = create_memfd("test", 4096);
  REQUIRE(memory);
  const std::array sent{memory->get()};
  write_all(theirs.get(), "{\"parameters\":{\"fd\":0}}\0"s, sent);

  Client client(std::move(ours));
  auto reply = client.call("a.b.C", {{"x", 1}}, sent);
  REQUIRE(reply);
  CHECK(reply->parameters["fd"] == 0);
  REQUIRE(reply->fds.size() == 1);
  CHECK(inode(reply->fds[0].get()) == inode(memory->get()));

  std::array<char, 1024> buffer{};
  auto call = receive_some(theirs.get(), buffer, 4);
  REQUIRE(call);
  CHECK(std::string(buffer.data(), call->size) ==
        "{\"method\":\"a.b.C\",\"parameters\":{\"x\":1}}\0"s);
  REQUIRE(call->fds.size() == 1);
  CHECK(inode(call->fds[0].get()) == inode(memory->get()));
}

TEST_CASE("coalesced replies keep their descriptors apart") {
  auto [ours, theirs] = make_pair();
  auto memory = create_memfd("test", 4096);
  const std::array sent{memory->get()};
  write_all(theirs.get(), "{\"continues\":true}\0"s);
  write_all(theirs.get(), "{\"continues\":true}\0"s, sent);
  write_all(theirs.get(), "{}\0"s);
  Client client(std::move(ours));
  REQUIRE(client.call_more("a.b.C"));
  auto first = client.next_reply(1s);
  auto second = client.next_reply(1s);
  auto third = client.next_reply(1s);
  REQUIRE((first && second && third));
  CHECK(first->continues);
  CHECK(first->fds.empty());
  CHECK(second->fds.size() == 1);
  CHECK_FALSE(third->continues);
  CHECK(third->fds.empty());
}

TEST_CASE("the peer's error is told apart from a broken connection") {
  auto [ours, theirs] = make_pair();
  write_all(theirs.get(), "{\"error\":\"a.b.Bad\",\"parameters\":{\"why\":\"so\"}}\0"s);
  Client client(std::move(ours));
  auto refused = client.call("a.b.C");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is("a.b.Bad"));
  CHECK(refused.error().parameters["why"] == "so");
  CHECK(client.fd() >= 0);

  theirs.reset();
  auto gone = client.call("a.b.C");
  REQUIRE_FALSE(gone);
  CHECK(gone.error().kind == CallError::Kind::transport);
  CHECK(client.fd() == -1);
  CHECK(client.call("a.b.C").error().kind == CallError::Kind::transport);
}

TEST_CASE("a reply that waits in a closed connection is still read") {
  auto [ours, theirs] = make_pair();
  write_all(theirs.get(), "{\"error\":\"a.b.Bye\"}\0"s);
  theirs.reset();
  Client client(std::move(ours));
  CHECK(client.call("a.b.C").error().is("a.b.Bye"));
}

TEST_CASE("a silent peer is a timeout") {
  auto [ours, theirs] = make_pair();
  Client client(std::move(ours));
  auto late = client.call("a.b.C", Json::object(), {}, 20ms);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == CallError::Kind::timeout);
}

TEST_CASE("a peer that does not speak Varlink is a protocol error") {
  for (const auto& nonsense : {"HTTP/1.1 400\0"s, "{\"error\":1}\0"s, "{\"parameters\":[]}\0"s}) {
    auto [ours, theirs] = make_pair();
    write_all(theirs.get(), nonsense);
    Client client(std::move(ours));
    CHECK(client.call("a.b.C").error().kind == CallError::Kind::protocol);
  }
}

TEST_CASE("surplus descriptors are closed and reported") {
  auto [ours, theirs] = make_pair();
  auto memory = create_memfd("test", 4096);
  const std::array sent{memory->get(), memory->get(), memory->get()};
  write_all(theirs.get(), "x", sent);
  std::array<char, 8> buffer{};
  auto got = receive_some(ours.get(), buffer, 2);
  REQUIRE(got);
  CHECK(got->fds.size() == 2);
  CHECK(got->descriptors_lost);
}

TEST_CASE("connecting to nothing says where") {
  auto client = Client::connect("/nonexistent/socket");
  REQUIRE_FALSE(client);
  CHECK(client.error().code == ENOENT);
  CHECK(client.error().text().find("/nonexistent/socket") != std::string::npos);
  CHECK_FALSE(Client::connect(std::string(200, 'x')));
}
