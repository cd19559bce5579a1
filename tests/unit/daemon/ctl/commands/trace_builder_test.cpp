// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/trace_builder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <ctime>
#include <set>
#include <string>
#include <vector>

using morpheus::Json;
using namespace morpheus::ctl;

namespace {

/// Feeds events of worker 7 (tid 70 of process 60) to a builder; times in microseconds.
struct TraceFixture {
  TraceFixture() {
    trace.introduce(Json::array({{{"worker_id", 7}, {"client_id", 1}, {"pid", 60}, {"tid", 70}}}),
                    Json::array({{{"client_id", 1}, {"name", "app"}}}));
  }
  void event(std::uint64_t at, const char* type, std::uint64_t value = 0,
             Json more = Json::object()) {
    Json event{{"time_ns", at * 1000},
               {"type", type},
               {"worker_id", 7},
               {"tid", 70},
               {"cpu", 1},
               {"seq", 5},
               {"value_ns", value * 1000}};
    event.update(more);
    trace.add(event);
  }
  /// The one trace event of this phase and name in this process.
  Json one(const char* phase, const std::string& name, std::uint64_t pid = 60) {
    Json found;
    for (const auto& made : out)
      if (made["ph"] == phase && made["name"] == name && made["pid"] == pid) {
        CHECK(found.is_null());
        found = made;
      }
    return found;
  }
  std::vector<Json> out;
  TraceBuilder trace{[this](const Json& made) { out.push_back(made); }};
};

constexpr std::uint64_t kCpus = 5'000'000;

}  // namespace

TEST_CASE("a run is on the worker's track and on its CPU's") {
  TraceFixture f;
  f.event(100, "HINT", 0, {{"reason", "PRESSURE"}});
  f.event(200, "RUN", 50);
  f.event(300, "STOP", 100, {{"runnable", true}});
  f.trace.finish();
  CHECK(f.one("X", "running")["ts"] == 200.0);
  CHECK(f.one("X", "running")["dur"] == 100.0);
  CHECK(f.one("X", "app 70", kCpus)["tid"] == kCpus + 2);
  CHECK(f.one("X", "waiting")["ts"] == 150.0);
  CHECK(f.one("X", "waiting")["dur"] == 50.0);
  std::set<std::string> tracks;
  for (const auto& made : f.out)
    if (made["name"] == "thread_name" && made["pid"] == kCpus) tracks.insert(made["args"]["name"]);
  CHECK(tracks == std::set<std::string>{"CPU 1", "time of day"});
  CHECK(f.one("M", "process_name")["args"]["name"] == "app");
}

TEST_CASE(
    "a hint lasts from its decision to its acknowledgement, wherever the kernel noticed that") {
  TraceFixture f;
  f.event(100, "RUN");
  f.event(110, "HINT", 0, {{"reason", "BUDGET"}});
  f.event(190, "ACKNOWLEDGED", 30);
  f.event(190, "STOP", 90, {{"runnable", true}});
  f.trace.finish();
  CHECK(f.one("b", "hint BUDGET")["ts"] == 110.0);
  CHECK(f.one("e", "hint BUDGET")["ts"] == 140.0);
  CHECK(f.one("e", "hint BUDGET")["args"]["ended"] == "acknowledged");
  for (const auto& made : f.out)
    CHECK(made["ph"] != "i");  // drawn once, not a second time as instants
}

TEST_CASE("an acknowledgement of a hint from before the trace is an instant") {
  TraceFixture f;
  f.event(100, "RUN");
  f.event(190, "ACKNOWLEDGED", 30);
  f.trace.finish();
  CHECK(f.one("i", "acknowledged")["ts"] == 190.0);
}

TEST_CASE("a track has the seconds of the host's clock") {
  ::setenv("TZ", "UTC0", 1);
  ::tzset();
  std::vector<Json> seconds;
  constexpr std::uint64_t kSecondOfDay = 1'000'000'000;
  TraceBuilder trace(
      [&](const Json& made) {
        if (made["ph"] == "X" && made["tid"] == kCpus) seconds.push_back(made);
      },
      3600 * kSecondOfDay);
  for (const std::uint64_t at : {500'000'000ull, 2'250'000'000ull})
    trace.add({{"time_ns", at}, {"type", "FROZEN"}, {"worker_id", 1}, {"tid", 5}});
  trace.finish();
  REQUIRE(seconds.size() == 3);
  CHECK(seconds[0]["name"] == "01:00:00");
  CHECK(seconds[0]["ts"] == 500'000.0);
  CHECK(seconds[0]["dur"] == 500'000.0);
  CHECK(seconds[1]["name"] == "01:00:01");
  CHECK(seconds[2]["name"] == "01:00:02");
  CHECK(seconds[2]["dur"] == 250'000.0);
}

TEST_CASE("a hint that stays open while the worker is off its CPU is timed from its next run") {
  TraceFixture f;
  f.event(100, "RUN");
  f.event(110, "HINT", 0, {{"reason", "PRESSURE"}});
  f.event(120, "STOP", 20, {{"runnable", true}});
  f.event(200, "RUN", 80);
  f.event(260, "ACKNOWLEDGED", 10);
  CHECK(f.one("e", "hint PRESSURE")["ts"] == 210.0);
}

TEST_CASE("a CPU lost inside a critical section is shown until the worker has it again") {
  TraceFixture f;
  f.event(100, "RUN");
  f.event(150, "DEFERRED", 50, {{"critical", true}});
  f.event(170, "STOP", 70, {{"runnable", true}, {"critical", true}});
  f.event(200, "RUN", 30, {{"critical", true}});
  f.event(220, "STOP", 20);
  f.trace.finish();
  CHECK(f.one("X", "waiting inside a critical section")["dur"] == 30.0);
  CHECK(f.one("X", "slice held: critical section")["dur"] == 20.0);
  CHECK(f.one("i", "deferred")["ts"] == 150.0);
  std::vector<int> inside;
  for (const auto& made : f.out)
    if (made["ph"] == "C") inside.push_back(made["args"]["inside"]);
  CHECK(inside == std::vector<int>{1, 0});
}

TEST_CASE(
    "nothing is drawn from before the trace, nor across lost events, and what is open is closed") {
  TraceFixture f;
  f.event(1000, "STOP", 5000);
  CHECK(f.one("X", "running").is_null());
  f.event(1100, "RUN");
  f.trace.lost(3);
  f.event(1500, "STOP", 100);
  CHECK(f.one("X", "running")["ts"] == 1400.0);
  CHECK_FALSE(f.one("i", "3 events lost", kCpus).is_null());
  f.out.clear();
  f.event(1600, "RUN");
  f.event(1650, "HINT", 0, {{"reason", "PRESSURE"}});
  f.trace.finish();
  CHECK(f.one("X", "running")["args"]["ended"] == "still running");
  CHECK(f.one("e", "hint PRESSURE")["args"]["ended"] == "still open");
}

TEST_CASE("escalations and event types that are not known are instants") {
  TraceFixture f;
  f.event(100, "ESCALATED", 9, {{"reason", "THREAD_KICK"}});
  f.event(110, "ESCALATED", 9, {{"reason", "CGROUP_THROTTLE"}});
  f.event(120, "FROZEN", 9);
  CHECK_FALSE(f.one("i", "escalated THREAD_KICK").is_null());
  CHECK_FALSE(f.one("i", "escalated CGROUP_THROTTLE").is_null());
  CHECK_FALSE(f.one("i", "frozen").is_null());
}

TEST_CASE("a throttle lasts from the first ignored hint until the kernel says that it is over") {
  TraceFixture f;
  f.event(100, "THROTTLED", 500);
  f.event(400, "THROTTLED", 500);
  f.event(700, "UNTHROTTLED", 600);  // before its time: Enforced mode has ended
  f.event(2000, "RUN");
  f.trace.finish();
  CHECK(f.one("b", "throttled")["ts"] == 100.0);
  CHECK(f.one("e", "throttled")["ts"] == 700.0);
  CHECK(f.one("e", "throttled")["args"]["ended"] == "over");
}

TEST_CASE(
    "a throttle without an event of its end is shown no longer than it can last, nor than the "
    "trace") {
  TraceFixture f;
  f.event(100, "THROTTLED", 500);
  f.event(2000, "RUN");
  f.trace.finish();
  CHECK(f.one("e", "throttled")["ts"] == 600.0);
  TraceFixture g;
  g.event(100, "THROTTLED", 500);
  g.event(300, "RUN");
  g.trace.finish();
  CHECK(g.one("e", "throttled")["ts"] == 300.0);
  CHECK(g.one("e", "throttled")["args"]["ended"] == "still open");
}
