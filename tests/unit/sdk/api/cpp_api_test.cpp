// SPDX-License-Identifier: GPL-2.0-only
#include <morpheus/adapters/language_adapter.hpp>
#include <morpheus/adapters/worker_loop.hpp>
#include <morpheus/attachment.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/sdk/attached_process.hpp"
#include "tests/unit/sdk/tiny_daemon.hpp"

using morpheus::test::SocketPath;
using morpheus::test::TinyDaemon;

namespace {

morpheus_options at(const std::string& socket, std::uint32_t max_workers = 8) {
  morpheus_options options{};
  options.socket = socket.c_str();
  options.max_workers = max_workers;
  return options;
}

}  // namespace

TEST_CASE("objects attach, register and guard for as long as they live") {
  const SocketPath path;
  TinyDaemon daemon(path.text());
  const std::string socket = path.text();
  {
    const morpheus::attachment attachment(at(socket));
    {
      morpheus::worker self({.priority = 9, .policy = MORPHEUS_POLICY_HYBRID});
      CHECK(daemon.runtime_line().escapable == 1);
      CHECK(daemon.runtime_line().runtime_priority == 9);
      CHECK(daemon.runtime_line().escalation_policy == MORPHEUS_POLICY_HYBRID);
      {
        const morpheus::critical_section outer(self);
        const morpheus::critical_section inner(self);
        CHECK(daemon.runtime_line().is_in_critical_section == 2);
      }
      CHECK(daemon.runtime_line().is_in_critical_section == 0);
      daemon.hint();
      CHECK(morpheus::checkpoint_here());
      self.quiesce();
      CHECK(daemon.state() == "QUIESCING");
      self.resume();
    }
    CHECK(daemon.state() == "gone");
  }
  CHECK(morpheus::attachment::status().link == MORPHEUS_LINK_NONE);
}

TEST_CASE("misuse throws with the library's error") {
  try {
    const morpheus::worker self;
    FAIL("registered without a runtime");
  } catch (const std::system_error& error) {
    CHECK(error.code() == std::error_code(MORPHEUS_ERR_NOT_ATTACHED, morpheus::error_category()));
  }
  const SocketPath path;
  const morpheus::attachment attachment(at(path.text()));
  CHECK_THROWS_AS(morpheus::worker({.priority = 5000}), std::system_error);
  CHECK(morpheus::attachment::status().workers == 0);
}

TEST_CASE("the C++ adapter gives the five operations") {
  const SocketPath path;
  TinyDaemon daemon(path.text());
  const morpheus::attachment attachment(at(path.text()));
  const morpheus::worker self;
  morpheus::cpp_adapter adapter(self);
  CHECK(morpheus::cpp_adapter::default_escapable());
  daemon.hint();
  {
    const auto guard = adapter.enter_critical();
    CHECK_FALSE(adapter.enter_checkpoint());
  }
  CHECK(adapter.enter_checkpoint());
  CHECK(self.stats().yields == 0);
  adapter.yield_worker();
  const std::uint64_t seq = daemon.hint();
  adapter.enter_safe_point();
  CHECK(daemon.acknowledged() == seq);
  CHECK(self.stats().yields == 2);
}

TEST_CASE("a worker loop runs everything, between safe points") {
  const SocketPath path;
  TinyDaemon daemon(path.text());
  const morpheus::attachment attachment(at(path.text()));
  std::atomic<int> ran = 0;
  {
    morpheus::worker_loop loop(attachment, 2);
    CHECK(morpheus::attachment::status().guided == 2);
    daemon.hint(0);
    daemon.hint(1);
    for (int i = 0; i < 100; ++i) loop.post([&] { ++ran; });
    loop.post([&] { loop.post([&] { ran += 1000; }); });
  }
  CHECK(ran == 1100);
  CHECK(daemon.state(0) == "gone");
  CHECK(daemon.acknowledged(0) + daemon.acknowledged(1) > 0);
}

TEST_CASE("a worker loop that cannot register leaves nothing behind") {
  const SocketPath path;
  const morpheus::attachment attachment(at(path.text(), 2));
  const morpheus::worker_options wrong{.priority = MORPHEUS_PRIORITY_MAX + 1};
  CHECK_THROWS_AS(morpheus::worker_loop(attachment, 3, wrong), std::system_error);
  CHECK(morpheus::attachment::status().workers == 0);
}
