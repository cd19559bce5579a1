// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/top/view.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

using namespace morpheus::ctl;

namespace {

std::vector<std::string> keys_of(std::string input) {
  std::vector<std::string> keys;
  while (!input.empty()) keys.push_back(take_key(input));
  return keys;
}

TopView after(const std::string& input, TopView view = {.last = 25, .page = 10}) {
  for (const auto& key : keys_of(input)) CHECK(press(view, key));
  return view;
}

}  // namespace

TEST_CASE("what a terminal sends is split into keys, whatever it is") {
  using Keys = std::vector<std::string>;
  CHECK(keys_of("qé日") == Keys{"q", "é", "日"});
  CHECK(keys_of("\033[A\033OB\033[5~x") == Keys{"\033[A", "\033OB", "\033[5~", "x"});
  CHECK(keys_of("\033") == Keys{"\033"});
  CHECK(keys_of("\033[1;5") == Keys{"\033[1;5"});
  CHECK(keys_of("\xf0\x9f") == Keys{"\xf0\x9f"});
}

TEST_CASE("keys of top sort, scroll, group, pause and quit") {
  CHECK(after("k").choice.sort == "kept");
  CHECK(after("n").choice.sort == "hints");
  CHECK(after("\033[B\033[B\033[A").first == 1);
  CHECK(after("\033[A").first == 0);
  CHECK(after("\033[6~\033[6~\033[5~").first == 10);
  CHECK(after("\033[6~\033[H").first == 0);
  CHECK(after("\033[F").first == 25);
  CHECK(after("\033[6~\033[6~\033[6~\033[A").first == 24);
  CHECK(after("g").choice.grouped);
  CHECK_FALSE(after("gg").choice.grouped);
  CHECK(after(" ").paused);
  CHECK_FALSE(after("  ").paused);
  TopView view;
  CHECK_FALSE(press(view, "q"));
}

TEST_CASE("an unknown key of top says so, until the next one") {
  CHECK(after("z").message == "there is no key z; ? lists them");
  CHECK(after("日").message == "there is no key 日; ? lists them");
  CHECK(after("\001").message == "there is no such key; ? lists them");
  CHECK(after("\033[15~").message == "there is no such key; ? lists them");
  CHECK(after("zc").message.empty());
}

TEST_CASE("a filter of top is typed, mended, accepted or left") {
  CHECK(after("/ngq").typing == "ngq");
  CHECK(after("/nginz\177x\r").choice.filter == "nginx");
  CHECK(after("/日é\177\177\177").typing == "");
  CHECK_FALSE(after("/日本\r").typing);
  CHECK(after("/a\r/b\033").choice.filter == "a");
  CHECK(after("/a\r/\177\r").choice.filter.empty());
  CHECK(after("/" + std::string(1000, 'x') + "\r").choice.filter.size() == 64);
  CHECK(after("/\001\n").choice.filter.empty());
}

TEST_CASE("top's help is shown until any key, and can be scrolled") {
  CHECK(after("?").help);
  CHECK(after("h\033[B").help);
  CHECK(after("h\033[B").first == 1);
  CHECK_FALSE(after("hq").help);  // and top goes on
  CHECK(after("hx").message.empty());
}
