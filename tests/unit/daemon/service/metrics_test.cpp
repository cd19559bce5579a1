// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/service/metrics.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <sstream>

#include "daemon/config/metrics_address.hpp"
#include "daemon/kernel/fake_kernel.hpp"

using namespace morpheus::daemon;

namespace {

std::string metrics(Exposition format) {
  Config config;
  FakeKernel kernel;
  REQUIRE(kernel.start(config.tunables));
  Core core{config, kernel, AccessRules{0, {}}, GlobalBlock::create().value()};
  return metrics_text(core, format);
}

bool holds(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("times are counted by powers of two, bounds included") {
  morpheus_time_counts counts{};
  for (const std::uint64_t ns : {0ull, 1ull, 1024ull}) morpheus_count_time(&counts, ns);
  CHECK(counts.counts[0] == 3);
  for (std::uint32_t i = 1; i < MORPHEUS_TIME_BOUNDS; ++i) {
    morpheus_count_time(&counts, morpheus_time_bound(i));
    morpheus_count_time(&counts, morpheus_time_bound(i - 1) + 1);
    CAPTURE(i);
    CHECK(counts.counts[i] == 2);
  }
  morpheus_count_time(&counts, morpheus_time_bound(MORPHEUS_TIME_BOUNDS - 1) + 1);
  morpheus_count_time(&counts, ~0ull);
  CHECK(counts.counts[MORPHEUS_TIME_BOUNDS] == 2);
}

TEST_CASE("the two formats differ where they must") {
  const auto open = metrics(Exposition::openmetrics), plain = metrics(Exposition::prometheus);
  CHECK(holds(open, "# TYPE morpheus_acknowledged counter"));
  CHECK(holds(plain, "# TYPE morpheus_acknowledged_total counter"));
  for (const auto& text : {open, plain}) {
    CHECK(holds(text, "morpheus_acknowledged_total 0"));
    CHECK(holds(text, "morpheus_mode{mode=\"observer\"} 1"));
    CHECK(holds(text, "morpheus_mode{mode=\"enforced\"} 0"));
    CHECK(holds(text, "morpheus_tunable_seconds{name=\"slice\"} 0.005"));
    CHECK(holds(text, "morpheus_wait_seconds_bucket{le=\"+Inf\"} 0"));
    CHECK(holds(text, "morpheus_wait_seconds_bucket{le=\"1.024e-06\"} 0"));
  }
  CHECK(open.ends_with("# EOF\n"));
  CHECK(plain.find("EOF") == std::string::npos);
}

TEST_CASE("the daemon's own use and what it refused are among the metrics") {
  const auto text = metrics(Exposition::prometheus);
  for (const char* none : {"morpheus_refusals", "morpheus_ejections", "morpheus_canary_alarms"})
    CHECK(holds(text, std::string(none) + "_total 0"));
  for (const char* some :
       {"process_cpu_seconds_total", "process_start_time_seconds", "process_resident_memory_bytes",
        "process_virtual_memory_bytes", "process_open_fds", "process_max_fds", "process_threads"}) {
    CAPTURE(some);
    const auto at = ("\n" + text).find("\n" + std::string(some) + " ");
    REQUIRE(at != std::string::npos);
    CHECK(std::stod(text.substr(at + std::string(some).size())) > 0);
  }
}

TEST_CASE("each series appears once") {
  std::istringstream lines(metrics(Exposition::openmetrics));
  std::set<std::string> seen;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("#")) CHECK(seen.insert(line.substr(0, line.rfind(' '))).second);
  CHECK(seen.size() > 80);
}

TEST_CASE("metrics are served on loopback addresses only") {
  for (const char* good : {"127.0.0.1:9464", "127.8.8.8:1", "[::1]:9464", "127.0.0.1:0"}) {
    CAPTURE(good);
    CHECK(parse_metrics_address(good));
  }
  CHECK(parse_metrics_address("[::1]:80")->host == "::1");
  for (const char* bad : {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                          "localhost:1", "::1:80", "127.0.0.1:80x", "[127.0.0.1]:80"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_metrics_address(bad));
  }
  for (const char* outside : {"0.0.0.0:1", "192.168.0.1:1", "[::]:1", "[2001:db8::1]:1"})
    CHECK(parse_metrics_address(outside).error().what.find("loopback") != std::string::npos);
}
