// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/console/flame_graph.hpp"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <regex>
#include <string>

using namespace morpheus::ctl;

namespace {

struct Box {
  double x, y, width;
};

/// By name, which is in the box's title.
std::map<std::string, Box> boxes_of(const std::string& svg) {
  static const std::regex box(
      "<g><title>(.*): [^:]*</title>\\s*<rect x=\"(.*?)\" y=\"(.*?)\" width=\"(.*?)\"");
  std::map<std::string, Box> boxes;
  for (std::sregex_iterator at(svg.begin(), svg.end(), box), end; at != end; ++at)
    boxes[(*at)[1]] = {std::stod((*at)[2]), std::stod((*at)[3]), std::stod((*at)[4])};
  return boxes;
}

}  // namespace

TEST_CASE("a flame graph's boxes are as wide as their share, callees upon their caller") {
  const auto boxes = boxes_of(flame_graph("it", {{{"app", "main()", "crunch()"}, 6'000'000},
                                                 {{"app", "main()", "serve()"}, 2'000'000},
                                                 {{"app", "other()"}, 2'000'000}}));
  REQUIRE(boxes.size() == 5);
  const auto& app = boxes.at("app");
  const auto near = [](double a, double b) { return a > b - 0.2 && a < b + 0.2; };
  CHECK(near(boxes.at("main()").width, 0.8 * app.width));
  CHECK(near(boxes.at("crunch()").width, 0.6 * app.width));
  CHECK(near(boxes.at("serve()").x, boxes.at("crunch()").x + boxes.at("crunch()").width));
  CHECK(near(boxes.at("other()").x, app.x + 0.8 * app.width));
  CHECK(boxes.at("crunch()").y < boxes.at("main()").y);
  CHECK(boxes.at("main()").y < app.y);
}

TEST_CASE("a flame graph's frames of less than a thousandth are left out") {
  const auto boxes = boxes_of(flame_graph("it", {{{"much"}, 999'500}, {{"little"}, 500}}));
  CHECK(boxes.contains("much"));
  CHECK_FALSE(boxes.contains("little"));
}

TEST_CASE("names in a flame graph are text, whatever they are") {
  const auto svg = flame_graph("a < b", {{{"<script>&", "operator<<()"}, 1000}});
  CHECK(svg.find("<script") == std::string::npos);
  CHECK(svg.find("&lt;script&gt;&amp;: 1.00 us, 100.0 %") != std::string::npos);
  CHECK(svg.find("a &lt; b</text>") != std::string::npos);
  CHECK(svg.find(">operator&lt;&lt;()</text>") != std::string::npos);
}
