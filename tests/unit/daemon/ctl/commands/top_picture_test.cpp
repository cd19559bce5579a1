// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/top_picture.hpp"

#include <catch2/catch_test_macros.hpp>

using morpheus::Json;
using namespace morpheus::ctl;

namespace {

Json worker(std::uint64_t id, std::uint64_t cpu_ms, std::uint64_t lost,
            std::uint64_t acknowledged = 0) {
  return {{"worker_id", id},
          {"client_id", 1},
          {"pid", 4194304},
          {"tid", 4194300 + id},
          {"state", "RUNNING"},
          {"cpu", 1023},
          {"cpu_time_ns", cpu_ms * 1'000'000},
          {"hints", lost + acknowledged},
          {"acknowledged", acknowledged},
          {"lost", lost}};
}

Look look(std::uint64_t seconds, Json workers) {
  return {seconds * 1'000'000'000,
          {{"mode", "observer"}, {"counters", {{"hints", 40 * seconds}}}},
          Json::array({{{"client_id", 1}, {"name", "a process\033[2J with a long name"}}}),
          std::move(workers)};
}

const Look kBefore = look(10, Json::array({worker(1, 100, 0), worker(2, 100, 0), worker(3, 0, 0)}));
const Look kNow =
    look(12, Json::array({worker(1, 300, 0, 80), worker(2, 1900, 30), worker(4, 9, 9)}));

}  // namespace

TEST_CASE("top shows rates between two looks, of workers that both saw") {
  const auto rows = top_rows(kBefore, kNow, "cpu");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].worker_id == 2);
  CHECK(rows[0].cpu == 90.0);
  CHECK(rows[0].lost == 15.0);
  CHECK(rows[1].acknowledged == 40.0);
}

TEST_CASE("top sorts by any column") {
  CHECK(top_rows(kBefore, kNow, "acknowledged")[0].worker_id == 1);
  CHECK(top_rows(kBefore, kNow, "lost")[0].worker_id == 2);
  CHECK(top_rows(kBefore, kNow, "worker")[0].worker_id == 1);
  CHECK(top_rows(kBefore, kNow, "wait")[0].worker_id == 1);  // all equal: the oldest first
}

TEST_CASE("the picture fits 80 columns and the terminal's lines, and no name controls it") {
  const TopView view{.columns = 80, .lines = 5, .keys = true};
  const auto picture = top_picture(kBefore, kNow, view, Palette{});
  CHECK(picture.size() == 5);
  for (const auto& line : picture) {
    CHECK(line.size() <= 80);
    CHECK(line.find('\033') == std::string::npos);
  }
  for (const auto& line :
       top_picture(kBefore, kNow, {.columns = 40, .lines = 5, .keys = true}, Palette{}))
    CHECK(line.size() <= 40);
  CHECK(picture[0].find("mode observer") != std::string::npos);
  CHECK(picture[1].find("hints 40/s") != std::string::npos);
  CHECK(picture[4].find("90.0") != std::string::npos);
}

TEST_CASE("a worker that does not acknowledge its hints stands out, where there are colours") {
  const auto picture = top_picture(kBefore, kNow, {}, Palette{true});
  CHECK(picture[3].find("\033[31m") != std::string::npos);
  CHECK(picture[4].find("\033[31m") == std::string::npos);
}
