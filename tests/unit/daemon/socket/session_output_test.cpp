// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/session_output.hpp"

#include <sys/socket.h>

#include <array>
#include <catch2/catch_test_macros.hpp>

#include "proto/varlink_socket.hpp"

using namespace morpheus;
using namespace morpheus::daemon;
using namespace std::chrono_literals;

namespace {

struct Pair {
  UniqueFd ours, peer;
  Pair() {
    std::array<int, 2> fds{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()) == 0);
    ours.reset(fds[0]);
    peer.reset(fds[1]);
  }
  [[nodiscard]] std::string read() const {
    std::array<char, 4096> buffer{};
    const auto got = varlink::receive_some(peer.get(), buffer, 0);
    return got ? std::string(buffer.data(), got->size) : "";
  }
};

struct OutputFixture {
  ConfigLimits limits;
  Accounts accounts{limits, 0};
  SessionOutput output{accounts, 1000};
  [[nodiscard]] std::uint64_t memory() const { return accounts.taken(1000, Resource::memory); }
  [[nodiscard]] std::uint64_t requests() const { return accounts.taken(1000, Resource::requests); }
};

}  // namespace

TEST_CASE("what waits for a peer is charged until the peer has read it") {
  OutputFixture f;
  const Pair pair;
  REQUIRE(f.output.charge(3));
  f.output.add("abc");
  CHECK(f.memory() == 3);
  CHECK(f.requests() == 1);
  CHECK(f.output.write_to(pair.ours.get()) == true);
  REQUIRE(f.output.charge(0));
  CHECK(pair.read() == "abc");
  CHECK(f.memory() == 0);
  CHECK(f.requests() == 0);
  f.limits.requests_per_uid = 0;
  CHECK(f.output.charge(1).error().quota.value().name == std::string("requests_per_uid"));
}

TEST_CASE("a long answer goes out piece by piece and is one request") {
  OutputFixture f;
  const Pair pair;
  int left = 3;
  f.output.begin_long_answer([&](std::string& text) {
    text += std::to_string(left);
    return --left > 0;
  });
  for (bool more = true; more;) {
    std::string piece;
    more = f.output.make_piece(piece);
    REQUIRE(f.output.charge(piece.size()));
    f.output.add(std::move(piece));
    CHECK(f.output.write_to(pair.ours.get()) == true);
    CHECK(f.requests() == 1);
  }
  f.output.end_long_answer();
  REQUIRE(f.output.charge(0));
  CHECK(f.requests() == 0);
  CHECK(pair.read() == std::string("{\"parameters\":321}\0", 19));
}

TEST_CASE("a peer is late only while something waits for it") {
  OutputFixture f;
  const auto late = SessionOutput::Clock::now() + 1h;
  CHECK_FALSE(f.output.is_stalled(late, 1s));
  f.output.add("abc");
  CHECK_FALSE(f.output.is_stalled(SessionOutput::Clock::now(), 1h));
  CHECK(f.output.is_stalled(late, 1s));
}
