// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/report/page.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>

using namespace morpheus::ctl;
using Catch::Matchers::ContainsSubstring;
using morpheus::Json;

namespace {

constexpr int kPid = 7;

Json slice(int tid, const char* name, double from_us, double length_us) {
  return {{"ph", "X"},    {"pid", kPid},   {"tid", tid},
          {"name", name}, {"ts", from_us}, {"dur", length_us}};
}
Json edge(const char* phase, int tid, double at_us) {
  return {{"ph", phase}, {"pid", kPid},
          {"tid", tid},  {"name", "hint PRESSURE"},
          {"ts", at_us}, {"args", {{"ended", "acknowledged"}}}};
}
Json name(const char* what, int tid, const char* is) {
  return {{"ph", "M"}, {"pid", kPid}, {"tid", tid}, {"name", what}, {"args", {{"name", is}}}};
}
Json wait(std::uint64_t until_ns, std::uint64_t waited_ns, const char* thread) {
  return {{"waits",
           {{{"time_ns", until_ns},
             {"worker_id", 3},
             {"waited_ns", waited_ns},
             {"waiter", {{"tid", 9}, {"pid", 8}, {"process", "web"}, {"thread", thread}}}}}}};
}

std::string page_of(const Timeline& timeline, const Tally& tally, std::string why_no_blame = {}) {
  const Symbolizer symbols;
  const Json before{{"counters", {{"hints", 5}, {"lost", 1}}}};
  const Json after{{"kernel", "7.3"}, {"counters", {{"hints", 12}, {"lost", 1}}}};
  return draw_page({.blame = {tally, symbols, 2, [](std::uint64_t) { return ""; }},
                    .timeline = timeline,
                    .why_no_blame = std::move(why_no_blame),
                    .status_before = before,
                    .status_after = after,
                    .host = "here",
                    .date = "today",
                    .events = 10,
                    .events_lost = 0});
}

}  // namespace

TEST_CASE("the worst stretch is where threads waited the most, not where most hints were open") {
  Timeline timeline;
  timeline.add_trace(edge("b", 1, 100'000));
  timeline.add_trace(edge("e", 1, 290'000));
  CHECK(timeline.worst(200'000).from_us == 80'000);
  timeline.add_waits(wait(1'000'000'000, 5'000'000, "a"));
  timeline.add_waits(wait(3'000'000'000, 40'000'000, "a"));
  timeline.add_waits(wait(3'050'000'000, 40'000'000, "a"));
  const auto worst = timeline.worst(200'000);
  CHECK(worst.from_us == 2'960'000 - 20'000);
  CHECK(worst.to_us == worst.from_us + 200'000);
}

TEST_CASE("where no thread waited and no hint was open the last stretch is shown") {
  Timeline timeline;
  timeline.add_trace(slice(1, "running", 0, 500'000));
  CHECK(timeline.worst(200'000).from_us == 300'000);
  CHECK(timeline.worst(200'000).to_us == 500'000);
}

TEST_CASE("a timeline has what workers did and who waited in its stretch, and nothing else") {
  Timeline timeline;
  timeline.add_trace(slice(1, "running", 1'000, 3'000));
  timeline.add_trace(slice(1, "waiting", 4'000, 50'000));
  timeline.add_trace(slice(2, "running", 90'000, 1'000));
  timeline.add_trace(edge("b", 1, 2'000));
  timeline.add_trace(edge("e", 1, 4'000));
  timeline.add_trace(name("thread_name", 1, "worker 3"));
  timeline.add_trace(name("process_name", kPid, "load"));
  timeline.add_waits(wait(4'000'000, 2'000'000, "main"));
  const auto drawn = timeline.draw({0, 10'000});
  CHECK_THAT(drawn, ContainsSubstring("<div>load: worker 3</div><div>web/main</div>"));
  CHECK_THAT(drawn, ContainsSubstring("class=\"running\" x=\"100.000\" y=\"4\" width=\"300.000\""));
  CHECK_THAT(drawn, ContainsSubstring("class=\"waiting\" x=\"400.000\" y=\"4\" width=\"600.000\""));
  CHECK_THAT(drawn, ContainsSubstring("hint PRESSURE acknowledged, 2.00 ms"));
  CHECK_THAT(drawn, ContainsSubstring("waits for worker 3, 2.00 ms"));
  CHECK_THAT(drawn, !ContainsSubstring("x=\"9"));  // the other worker's
}

TEST_CASE("names on a report's page are text, whatever they are, and it loads nothing") {
  constexpr const char* kEvil = "\"><script>alert(1)</script>\u202e";
  Timeline timeline;
  timeline.add_trace(slice(1, "running", 0, 3'000));
  timeline.add_trace(name("thread_name", 1, kEvil));
  timeline.add_trace(name("process_name", kPid, kEvil));
  timeline.add_waits(wait(2'000'000, 1'000'000, kEvil));
  Tally tally;
  tally.add({{"samples",
              {{{"worker_id", 3},
                {"pid", kPid},
                {"tid", 1},
                {"process", kEvil},
                {"thread", kEvil},
                {"cause", kEvil},
                {"age_ns", 5},
                {"frames", Json::array()}}}},
             {"waits", wait(2'000'000, 1'000'000, kEvil)["waits"]}});
  const auto page = page_of(timeline, tally);
  CHECK_THAT(page, !ContainsSubstring("<script>alert"));
  CHECK_THAT(page, ContainsSubstring("&lt;script&gt;alert(1)"));
  CHECK_THAT(page, !ContainsSubstring("\u202e"));  // turns the direction of writing
  CHECK_THAT(page, ContainsSubstring("default-src 'none'"));
  CHECK_THAT(page,
             !ContainsSubstring("http://") || ContainsSubstring("http://www.w3.org/2000/svg"));
  CHECK_THAT(page, !ContainsSubstring("https://"));
}

TEST_CASE("a report says who is to blame, or why it does not know, and counts its own time") {
  Timeline timeline;
  Tally tally;
  CHECK_THAT(page_of(timeline, tally), ContainsSubstring("no thread was kept waiting by a worker"));
  CHECK_THAT(page_of(timeline, tally, "only root may ask"), ContainsSubstring("only root may ask"));
  CHECK_THAT(page_of(timeline, tally),
             ContainsSubstring("<td>hints</td><td class=\"number\">7</td>"));
  CHECK_THAT(page_of(timeline, tally),
             ContainsSubstring("<td>lost</td><td class=\"number\">0</td>"));
}
