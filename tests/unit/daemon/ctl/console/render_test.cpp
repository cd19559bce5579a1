// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/console/render.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sstream>

using morpheus::Json;
using namespace morpheus::ctl;

TEST_CASE("numbers stay short") {
  CHECK(short_count(9999) == "9999");
  CHECK(short_count(12345) == "12.3k");
  CHECK(short_count(1234567) == "1.23M");
  CHECK(short_count(999'600) == "1.00M");
  CHECK(short_count(~0ull).size() <= 5);
  CHECK(short_time(999) == "999 ns");
  CHECK(short_time(1'234'567) == "1.23 ms");
  CHECK(short_time(61'000'000'000) == "61.0 s");
}

TEST_CASE("a table of workers fits 100 columns, whatever the numbers") {
  const std::uint64_t big = ~0ull;
  const Json worker{{"worker_id", 4194304},
                    {"pid", 4194304},
                    {"tid", 4194304},
                    {"state", "REGISTERED"},
                    {"cpu", 1023},
                    {"hints", big},
                    {"acknowledged", big},
                    {"withdrawn", big},
                    {"lost", big},
                    {"escalations", big},
                    {"blocked", {{"MODE", big}}},
                    {"policy", "CGROUP_THROTTLE"}};
  std::istringstream lines(render_workers(Json::array({worker, worker}), Palette{}));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) CHECK(line.size() <= 100);
  CHECK(count == 3);
}

TEST_CASE("a process's name cannot control the terminal") {
  const auto text = render_clients(Json::array({{{"name", "\033[2Jx\n"}}}), Palette{});
  CHECK(text.find('\033') == std::string::npos);
  CHECK(text.find("?[2Jx?") != std::string::npos);
}

TEST_CASE("colours only when asked") {
  const Json status{{"mode", "enforced"}, {"scheduler", {{"attached", true}}}};
  CHECK(render_status(status, Palette{false}).find('\033') == std::string::npos);
  CHECK(render_status(status, Palette{true}).find('\033') != std::string::npos);
}

TEST_CASE("degraded means: chosen but not in force") {
  CHECK(is_degraded({{"mode", "enforced"}, {"scheduler", {{"attached", false}}}}));
  CHECK_FALSE(is_degraded({{"mode", "enforced"}, {"scheduler", {{"attached", true}}}}));
  CHECK_FALSE(is_degraded({{"mode", "observer"}, {"scheduler", {{"attached", false}}}}));
}

TEST_CASE("the last exit says when it was, and how long ago") {
  const Json exit{
      {"cause", "EJECTED"},
      {"reason", "runnable task stall"},
      {"time_ns", 5'000'000'000},
      {"realtime_ns", 1'764'547'200'000'000'000}};  // the first of December, in Greenwich
  const auto text = render_last_exit(exit, 17'000'000'000);
  CHECK((text.starts_with("EJECTED at 2025-12-01 ") || text.starts_with("EJECTED at 2025-11-30 ")));
  CHECK(text.find(":00, 12.0 s ago: runnable task") != std::string::npos);
  CHECK(render_last_exit({{"cause", "NONE"}}, 1) == "the kernel has not ended the scheduler\n");
}

TEST_CASE("each hint is counted in one place, and late ones besides") {
  const Json counters{{"hints", 291}, {"acknowledged", 44}, {"withdrawn", 246}, {"lost", 49}};
  CHECK(render_status({{"counters", counters}}, Palette{})
            .find("291: 44 acknowledged, 246 withdrawn, 1 open; 49 of them late") !=
        std::string::npos);
}

TEST_CASE("statistics fit 80 columns and show where the times lie") {
  const std::uint64_t big = ~0ull;
  const Json statistics{
      {"counters", {{"hints", big}, {"events_dropped", 0}}},
      {"hints_by_reason", {{"PRESSURE", 12345}}},
      {"blocked_by_reason", Json::object()},
      {"ack_latency", {{"bounds_ns", {1024, 2048}}, {"counts", {0, 30, 10}}, {"sum_ns", 80'000}}},
      {"wait", {{"bounds_ns", {1024, 2048}}, {"counts", {0, 0, 0}}, {"sum_ns", 0}}}};
  const auto text = render_statistics(statistics);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 80);
  CHECK(text.find("decision to acknowledgement: 40, mean 2.00 us") != std::string::npos);
  CHECK(text.find("up to  2.05 us     30 " + std::string(40, '#')) != std::string::npos);
  CHECK(text.find("over  2.05 us     10 " + std::string(14, '#')) != std::string::npos);
  CHECK(text.find("waits for a CPU: 0, mean 0 ns") != std::string::npos);
}
