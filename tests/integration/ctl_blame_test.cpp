// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl blame against the fake kernel, in which every hint that is ignored gives one sample.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "tests/programs/daemon_process.hpp"

using namespace morpheus::test;

namespace {

constexpr int kStranger = 4711;

/// A daemon with one worker that never answers.
struct Deaf {
  DaemonProcess daemon;
  Attached attached;
  explicit Deaf(const Json& config = Json::object())
      : daemon({"--fake-hint-ms", "20"}, config), attached(daemon) {
    attached.run(attached.register_thread(::gettid()));
  }
  [[nodiscard]] Finished blame(std::vector<std::string> more, int uid = -1) const {
    more.insert(more.begin(), {"blame", "--seconds", "1"});
    return daemon.ctl(std::move(more), uid);
  }
};

}  // namespace

TEST_CASE("blame names the worker, the thread that waited, and says what it does not know") {
  const Deaf deaf;
  const auto text = deaf.blame({});
  CHECK(text.status == 0);
  CHECK(text.out.find("/fake (pid ") != std::string::npos);
  CHECK(text.out.find(" LATE") != std::string::npos);
  CHECK(text.out.find("(unknown)") != std::string::npos);
  const auto folded = deaf.blame({"--folded"});
  CHECK(folded.status == 0);
  CHECK(folded.out.find(";fake;(unknown);(unknown) ") != std::string::npos);
  const auto svg = deaf.blame({"--svg"});
  CHECK(svg.status == 0);
  CHECK(svg.out.starts_with("<svg xmlns="));
  CHECK(svg.out.find("<title>(unknown): ") != std::string::npos);
  CHECK(deaf.blame({"--svg", "--folded"}).status == 2);
  const auto json = parse_json(deaf.blame({"--json"}).out);
  REQUIRE(json["workers"].size() == 1);
  CHECK(json["schema_version"] == 1);
  CHECK(json["workers"][0]["tid"] == ::gettid());
  CHECK(json["workers"][0]["samples"] > 0);
  CHECK(json["workers"][0]["waits"]["count"] > 0);
}

TEST_CASE("blame counts only the workers and processes that are asked for") {
  const Deaf deaf;
  const auto seen = [&](std::vector<std::string> filter) {
    filter.push_back("--json");
    return parse_json(deaf.blame(filter).out)["workers"].size();
  };
  CHECK(seen({"--pid", std::to_string(::getpid())}) == 1);
  CHECK(seen({"--pid", "1"}) == 0);
  CHECK(seen({"--worker", "999999"}) == 0);
}

TEST_CASE("without a guilty worker blame says so and succeeds") {
  const DaemonProcess daemon;
  const auto ended = daemon.ctl({"blame", "--seconds", "0.1"});
  CHECK(ended.status == 0);
  CHECK(ended.out.find("No thread was kept waiting by a worker") != std::string::npos);
}

TEST_CASE("blame's errors say what to do") {
  const DaemonProcess daemon;
  const auto nan = daemon.ctl({"blame", "--seconds", "nan"});
  CHECK(nan.status == 2);
  CHECK(nan.err.find("morpheusctl blame --help") != std::string::npos);
  const auto gone = run_program({program("daemon/ctl/morpheusctl"), "--socket", "/nonexistent/m",
                                 "blame", "--seconds", "0.1"});
  CHECK(gone.status == 3);
  CHECK(gone.err.find("start it") != std::string::npos);
  auto client = daemon.connect();
  const auto once = client.call("io.morpheus.Control.Blame");
  REQUIRE_FALSE(once);
  CHECK(once.error().is("org.varlink.service.ExpectedMore"));
}

TEST_CASE("a stranger sees no sample of another user's worker") {
  if (::geteuid() != 0) SKIP("needs root, to become another user");
  const Deaf deaf;
  const auto seen = deaf.blame({"--json"}, kStranger);
  CHECK(seen.status == 0);
  CHECK(parse_json(seen.out)["workers"].empty());
  CHECK(parse_json(seen.out)["samples"] == 0);
}

TEST_CASE("a user without the right to read is refused, and told which group may") {
  if (::geteuid() != 0) SKIP("needs root, to become another user");
  const DaemonProcess daemon(Json{{"read_group", "root"}}, Backend::fake);
  const auto refused = daemon.ctl({"blame", "--seconds", "0.1"}, kStranger);
  CHECK(refused.status == 1);
  CHECK(refused.err.find("read_group") != std::string::npos);
}

TEST_CASE("samples are made only while an operator looks, within the quota of subscribers") {
  const DaemonProcess daemon({}, Json{{"subscribers_per_uid", 1}});
  auto first = daemon.connect(), second = daemon.connect();
  REQUIRE(first.call_more("io.morpheus.Control.Blame"));
  REQUIRE(first.next_reply(std::chrono::seconds(5)));
  REQUIRE(second.call_more("io.morpheus.Control.Blame"));
  const auto refused = second.next_reply(std::chrono::seconds(5));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is("io.morpheus.Control.QuotaExceeded"));
}
