// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/report.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <vector>

#include "daemon/ctl/blame/code_tree.hpp"
#include "daemon/ctl/blame/worst_pair.hpp"

using namespace morpheus::ctl;
using Catch::Matchers::ContainsSubstring;
using morpheus::Json;

namespace {

Json sample_of(int worker, const char* thread, Json frames) {
  return {{"worker_id", worker},
          {"pid", 0},
          {"tid", 100 + worker},
          {"process", "load"},
          {"thread", thread},
          {"seq", 1},
          {"cause", "LATE"},
          {"age_ns", 2'000'000},
          {"skipped", 1},
          {"critical", true},
          {"frames", std::move(frames)}};
}

Json wait_of(int worker, int tid, const char* thread, std::uint64_t waited_ns) {
  return {{"worker_id", worker},
          {"waited_ns", waited_ns},
          {"waiter",
           {{"tid", tid}, {"pid", 7}, {"thread", thread}, {"process", "nginx"}, {"cgroup_id", 5}}}};
}

Json reply(const std::vector<Json>& samples, const std::vector<Json>& waits) {
  return {{"samples", samples}, {"waits", waits}, {"dropped", 0}};
}

const Json kFrames = Json::array({{{"build_id", "ab"}, {"offset", 16}}, {{"address", 99}}});

}  // namespace

TEST_CASE("the worker for which threads waited longest is named first, with its victims") {
  Tally tally;
  tally.add(reply({sample_of(1, "polite", kFrames), sample_of(2, "deaf0", kFrames),
                   sample_of(2, "deaf0", kFrames)},
                  {wait_of(1, 11, "worker", 1'000), wait_of(2, 11, "worker", 5'000'000),
                   wait_of(2, 12, "worker", 3'000'000), wait_of(2, 11, "worker", 6'000'000)}));
  const auto guilty = tally.by_guilt();
  REQUIRE(guilty.size() == 2);
  CHECK(guilty[0]->thread == "deaf0");
  CHECK(guilty[0]->samples == 2);
  CHECK(guilty[0]->skipped == 2);
  CHECK(guilty[0]->waits.count == 3);
  CHECK(guilty[0]->waits.total_ns == 14'000'000);
  CHECK(guilty[0]->waits.longest_ns == 6'000'000);
  CHECK(guilty[0]->stacks.size() == 1);
  REQUIRE(worst_victim(*guilty[0]) != nullptr);
  CHECK(worst_victim(*guilty[0])->tid == 11);
  CHECK(tally.samples() == 3);
}

TEST_CASE("only the wanted workers and processes are counted") {
  Tally tally({.pids = {}, .workers = {2}});
  tally.add(reply({sample_of(1, "a", kFrames), sample_of(2, "b", kFrames)},
                  {wait_of(1, 11, "w", 1), wait_of(2, 11, "w", 2)}));
  REQUIRE(tally.by_guilt().size() == 1);
  CHECK(tally.by_guilt()[0]->worker_id == 2);
  Tally other({.pids = {4711}, .workers = {}});
  other.add(reply({sample_of(1, "a", kFrames)}, {}));
  CHECK(other.by_guilt().empty());
}

TEST_CASE("the report says who, who waited, where, and what it does not know") {
  Tally tally;
  Json hidden = wait_of(1, 0, "", 4'000'000);
  hidden.erase("waiter");
  tally.add(reply({sample_of(1, "deaf\x1b[0m", Json::array({{{"address", 4096}}}))},
                  {wait_of(1, 11, "worker", 12'000'000), hidden}));
  const Symbolizer symbols;
  const BlameReport report{tally, symbols, 5, [](auto) { return "/web"; }};
  const auto text = render_blame(report, 80, Palette{});
  CHECK_THAT(text, ContainsSubstring("load/deaf?[0m (pid 0, tid 101, worker 1)"));
  CHECK_THAT(text, ContainsSubstring("2 waits, 16.0 ms in all, 12.0 ms the longest"));
  CHECK_THAT(text, ContainsSubstring("nginx/worker (7)"));
  CHECK_THAT(text, ContainsSubstring("/web"));
  CHECK_THAT(text, ContainsSubstring("threads of other users"));
  CHECK_THAT(text, ContainsSubstring(kUnknown));
  CHECK_THAT(text, ContainsSubstring("-fno-omit-frame-pointer"));
  CHECK_THAT(text, ContainsSubstring("1 LATE; 1 in a critical section"));
  CHECK(text.find('\033') == std::string::npos);
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    CHECK(end - at <= 80);
  CHECK(fold_blame(report) == "load;deaf?[0m;(unknown) 2000\n");
  CHECK_THAT(draw_blame(report), ContainsSubstring("Code that kept threads waiting, in 5 s"));
  CHECK_THAT(draw_blame(report), ContainsSubstring("<title>deaf?[0m: 2.00 ms, 100.0 %</title>"));
  const auto json = blame_json(report);
  CHECK(json["workers"][0]["waits"]["longest_ns"] == 12'000'000);
  CHECK(json["workers"][0]["victims"].size() == 2);
  CHECK(json["workers"][0]["stacks"][0]["count"] == 1);
}

TEST_CASE("without samples the report says so") {
  const Tally tally;
  const Symbolizer symbols;
  CHECK_THAT(render_blame({tally, symbols, 5, [](auto) { return ""; }}, 80, Palette{}),
             ContainsSubstring("No thread was kept waiting by a worker for 5 s"));
  CHECK_THAT(draw_blame({tally, symbols, 5, [](auto) { return ""; }}),
             ContainsSubstring("No thread was kept waiting by a worker for 5 s"));
}

TEST_CASE("the tree has the deaf functions first, and below each its callers") {
  const Place crunch{"crunch()", "/src/guilty.cpp", "app", 41},
      other{"crunch()", "/src/guilty.cpp", "app", 42};
  const Place serve{"serve()", "/src/load.cpp", "app", 7}, main{"main", "", "app", 0};
  const auto tree = code_tree({{{crunch, serve, main}, 6},
                               {{other, serve, main}, 2},
                               {{crunch, main}, 1},
                               {{serve, main}, 1}});
  REQUIRE(tree.callers.size() == 2);
  CHECK(tree.callers[0].place.line == 41);
  CHECK(tree.callers[0].weight == 9);
  CHECK(draw_tree(tree, 0) ==
        std::vector<std::string>{" 90 %  crunch()  guilty.cpp:41", "   80 %  < serve()  load.cpp:7",
                                 "         < main", "   10 %  < main", " 10 %  serve()  load.cpp:7",
                                 "       < main"});
  for (const auto& line : draw_tree(tree, 24)) CHECK(line.size() <= 24);
  CHECK(folded({function_of({"", "", "libc.so.6", 0}), "a;b", "crunch()"}) ==
        "[libc.so.6];a:b;crunch()");
}

TEST_CASE("the worst pair is one line") {
  Tally tally;
  const Symbolizer symbols;
  CHECK(worst_pair_text(tally, symbols, 2).empty());
  tally.add(reply({sample_of(1, "deaf0", kFrames)},
                  {wait_of(1, 11, "worker", 12'000'000), wait_of(1, 11, "worker", 1'000'000),
                   wait_of(1, 12, "other", 2'000'000)}));
  CHECK(worst_pair_text(tally, symbols, 2) ==
        "load/deaf0 kept nginx/worker waiting 12.0 ms, 1.0 times a second");
}
