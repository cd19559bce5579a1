// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/pressure.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace morpheus::daemon;

TEST_CASE("PSI: avg10 of some, rounded, 0 to 100") {
  CHECK(parse_psi("some avg10=1.53 avg60=0.87 avg300=0.73 total=1\nfull avg10=9.00") == 2u);
  CHECK(parse_psi("some avg10=0.00 avg60=0.00") == 0u);
  CHECK(parse_psi("some avg10=100.00 ") == 100u);
  CHECK(parse_psi("some avg10=1000.00 ") == 100u);
  CHECK(parse_psi("some avg10=-3 ") == 0u);
  for (const char* bad : {"", "full avg10=1.0", "some avg60=1.0", "some avg10=", "some avg10=nan"})
    CHECK_FALSE(parse_psi(bad));
}

TEST_CASE("loadavg: the number of runnable threads") {
  CHECK(parse_loadavg("0.20 0.18 0.12 3/80 11206\n") == 3u);
  for (const char* bad : {"", "0.20 0.18 0.12", "0.20 0.18 0.12 x/80", "0.20 0.18 0.12 3"})
    CHECK_FALSE(parse_loadavg(bad));
}

TEST_CASE("files that are not there count as 0") {
  char path[] = "/tmp/morpheus-proc-XXXXXX";
  const std::string proc = ::mkdtemp(path);
  std::ofstream(proc + "/loadavg") << "0.20 0.18 0.12 7/80 1\n";
  const auto pressure = read_pressure(proc);
  CHECK(pressure.cpu_pct == 0);
  CHECK(pressure.runqueue_depth == 7);
  std::filesystem::remove_all(proc);
}
