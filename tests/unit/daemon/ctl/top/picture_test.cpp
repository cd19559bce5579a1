// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/top/picture.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>
#include <sstream>

#include "daemon/ctl/console/columns.hpp"

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
          std::move(workers),
          {}};
}

const Look kBefore = look(10, Json::array({worker(1, 100, 0), worker(2, 100, 0), worker(3, 0, 0)}));
const Look kNow =
    look(12, Json::array({worker(1, 300, 0, 80), worker(2, 1900, 30), worker(4, 9, 9)}));

std::vector<std::string> picture_of(TopView view, const Palette& palette = {},
                                    const Look& now = kNow) {
  return top_picture(kBefore, now, view, palette, [](const TopRow& row) {
    return ThreadFacts{"thread" + std::to_string(row.worker_id), "/system.slice/a.service"};
  });
}

/// The names of the columns of a terminal of that width.
std::set<std::string> heads_of(std::size_t columns) {
  std::istringstream line(picture_of({.columns = columns})[2]);
  return {std::istream_iterator<std::string>(line), {}};
}

/// So many workers of two processes.
Look crowd(std::uint64_t seconds, std::uint64_t workers) {
  auto crowd = look(seconds, Json::array());
  crowd.clients = {{{"client_id", 1}, {"name", "nginx"}}, {{"client_id", 2}, {"name", "日本語"}}};
  for (std::uint64_t id = 1; id <= workers; ++id) {
    auto one = worker(id, seconds * 100, id);
    one["client_id"] = one["pid"] = 1 + id % 2;
    crowd.workers.push_back(std::move(one));
  }
  return crowd;
}

}  // namespace

TEST_CASE("top shows rates between two looks, of workers that both saw") {
  const auto rows = top_rows(kBefore, kNow, {.sort = "cpu"});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].worker_id == 2);
  CHECK(rows[0].cpu == 90.0);
  CHECK(rows[0].lost == 15.0);
  CHECK(rows[1].acknowledged == 40.0);
}

TEST_CASE("top sorts by any column") {
  const auto first = [](const char* column) {
    return top_rows(kBefore, kNow, {.sort = column})[0].worker_id;
  };
  CHECK(first("acknowledged") == 1);
  CHECK(first("lost") == 2);
  CHECK(first("worker") == 1);
  CHECK(first("wait") == 1);  // all equal: the oldest first
}

TEST_CASE("top says what a thread does, not what it registered as") {
  const auto doing = [](const char* state, const char* now, int critical) {
    auto one = worker(1, 0, 0);
    one["state"] = state;
    one["doing"] = now;
    one["critical"] = critical;
    return top_rows(kBefore, look(12, Json::array({one})), {})[0].doing;
  };
  CHECK(doing("RUNNING", "running", 0) == "running");
  CHECK(doing("RUNNING", "waiting", 0) == "waiting");
  CHECK(doing("RUNNING", "asleep", 0) == "asleep");
  CHECK(doing("RUNNING", "running", 2) == "critical");
  CHECK(doing("RUNNING", "waiting", 1) == "critical");
  CHECK(doing("RUNNING", "asleep", 1) == "asleep");  // it claims, and holds no CPU
  CHECK(doing("QUIESCING", "running", 0) == "quiescing");
}

TEST_CASE("the picture fits each terminal, and no name controls it") {
  for (const std::size_t columns : {20, 40, 60, 80, 120, 250})
    for (const bool grouped : {false, true}) {
      auto now = kNow;
      now.worst = std::string(300, 'w');
      now.clients[0]["name"] = "日本語\033[2J日本語日本語e\u0301e\u0301日本語日本語";
      const auto picture = picture_of(
          {.choice = {.grouped = grouped}, .columns = columns, .lines = 10, .keys = true}, {}, now);
      CHECK(picture.size() == 10);
      for (const auto& line : picture) {
        CHECK(columns_of(line) <= columns);
        CHECK(line.find('\033') == std::string::npos);
      }
    }
  const auto picture = picture_of({.columns = 80});
  CHECK(picture[0].find("mode observer") != std::string::npos);
  CHECK(picture[1].find("hints 40/s") != std::string::npos);
  CHECK(picture[3].find("90.0") != std::string::npos);
}

TEST_CASE("a terminal of few lines still has the columns' heads, a worker and the last line") {
  for (std::size_t lines = 3; lines < 9; ++lines) {
    const auto picture = picture_of({.lines = lines, .keys = true});
    CHECK(picture.size() == lines);
    CHECK(picture.back().ends_with("of 2 workers"));
    CHECK(std::ranges::any_of(
        picture, [](const std::string& line) { return line.find("%KEPT") != std::string::npos; }));
  }
}

TEST_CASE("wide names leave the columns in line") {
  const auto now = crowd(12, 2);
  TopView view;
  const auto picture = top_picture(crowd(10, 2), now, view, {}, {});
  const auto end = columns_of(picture[2]);
  CHECK(columns_of(picture[3]) == end);
  CHECK(columns_of(picture[4]) == end);
}

TEST_CASE("a narrow terminal keeps what says who is in the way, a wide one is used") {
  const auto least = heads_of(40);
  for (const char* head : {"WORKER", "PROCESS", "%CPU", "%KEPT", "DOING"})
    CHECK(least.contains(head));
  CHECK(heads_of(60).contains("LOST"));
  CHECK(heads_of(60).contains("%WAIT"));
  CHECK(heads_of(80).contains("ESCAL"));
  for (const char* head : {"PROCESS/THREAD", "PID", "CPU", "CGROUP"})
    CHECK(heads_of(200).contains(head));
  const auto row = picture_of({.columns = 200})[3];
  CHECK(row.find("a process?[2J with a long/thread2") == std::string::npos);
  CHECK(row.find("/system.slice/a.service") != std::string::npos);
}

TEST_CASE("more workers than lines can be scrolled, to the last and not beyond") {
  const auto before = crowd(10, 100), now = crowd(12, 100);
  TopView view{.choice = {.sort = "worker"}, .lines = 20, .keys = true};
  CHECK(top_picture(before, now, view, {}, {}).back() == "1-15 of 100 workers");
  for (const char* key : {"\033[6~", "\033[B"}) CHECK(press(view, key));
  auto picture = top_picture(before, now, view, {}, {});
  CHECK(picture.back() == "17-31 of 100 workers");
  CHECK(picture[4].starts_with("    17 "));
  CHECK(press(view, "\033[F"));
  picture = top_picture(before, now, view, {}, {});
  CHECK(picture.back() == "86-100 of 100 workers");
  CHECK(view.first == 85);
  CHECK(picture.size() == 20);
}

TEST_CASE("top can be limited to a process, and summed by process") {
  const auto before = crowd(10, 100), now = crowd(12, 100);
  CHECK(top_rows(before, now, {.filter = "NGIN"}).size() == 50);
  CHECK(top_rows(before, now, {.filter = "本"}).size() == 50);
  CHECK(top_rows(before, now, {.filter = "2"}).size() == 50);       // the pid
  CHECK(top_rows(before, now, {.filter = "4194307"}).size() == 1);  // the tid
  CHECK(top_rows(before, now, {.filter = "none"}).empty());
  const auto rows = top_rows(before, now, {.grouped = true});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].workers == 50);
  CHECK(rows[0].cpu == 500.0);
  TopView wide{.choice = {.grouped = true}, .columns = 200};
  const auto head = top_picture(before, now, wide, {}, {})[2];
  CHECK(head.find("WORKERS     PID PROCESS ") == 0);
  TopView view{.choice = {.filter = "nginx", .grouped = true}, .keys = true, .paused = true};
  CHECK(top_picture(before, now, view, {}, {}).back() ==
        "1-1 of 1 processes; paused; filter: nginx");
}

TEST_CASE("top explains its keys and columns") {
  std::string help;
  for (const auto& line : picture_of({.columns = 90, .keys = true, .help = true})) help += line;
  for (const auto& head : heads_of(250))
    CHECK(help.find(head == "PROCESS/THREAD" ? "PROCESS" : head) != std::string::npos);
  CHECK(help.find("space") != std::string::npos);
}

TEST_CASE("a worker for which threads wait stands out, and none that only misses hints") {
  Json guilty = worker(1, 300, 0, 80), asleep = worker(2, 100, 30);
  // of 2 s: it holds the CPU in a critical section, and answers late
  guilty["kept_ns"] = 60'000'000;
  asleep["kept_ns"] = 10'000'000;
  auto now = look(12, Json::array({guilty, asleep}));
  const auto picture = picture_of({}, Palette{true}, now);
  CHECK(picture[3].find("\033[31m") != std::string::npos);
  CHECK(picture[3].find("  3.0 ") != std::string::npos);
  CHECK(picture[4].find("\033[31m") == std::string::npos);
  CHECK(top_rows(kBefore, now, {.sort = "kept"})[0].worker_id == 1);
  now.worst = "load/deaf0 kept nginx/worker waiting 12.0 ms, 58 times a second";
  CHECK(picture_of({}, {}, now)[2] == "worst: " + now.worst);
}
