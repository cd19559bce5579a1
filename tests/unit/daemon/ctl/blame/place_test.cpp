// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/place.hpp"

#include <catch2/catch_test_macros.hpp>

#include "daemon/ctl/blame/perf_map.hpp"

using namespace morpheus::ctl;

TEST_CASE("nothing that a stranger wrote controls the terminal") {
  CHECK(printable("plain name-1") == "plain name-1");
  CHECK(printable("\x1b[31mred\x07\r\n\tx\x7f") == "?[31mred????x?");
  CHECK(printable("na\xc3\xafve \xe5\x90\x8d \xf0\x9f\x98\x80") ==
        "na\xc3\xafve \xe5\x90\x8d \xf0\x9f\x98\x80");
  CHECK(printable("\xc2\x9b"
                  "31m") == "?31m");  // CSI in one character
  CHECK(printable("a\xe2\x80\xae"
                  "b\xe2\x81\xa6") == "a?b?");  // turns the direction
  CHECK(printable("\xff\xc3(\xed\xa0\x80\xc0\xaf") ==
        std::string(2, '?') + "(" + std::string(5, '?'));  // no UTF-8
  CHECK(printable("\xe5\x90") == "??");
  CHECK(printable(std::string(1000, 'x'), 10).size() == 10);
  CHECK(printable(std::string_view("a\0b", 3)) == "a?b");
}

TEST_CASE("a function's name is shown without its parameters") {
  CHECK(short_name("crunch(unsigned long)") == "crunch()");
  CHECK(short_name("(anonymous namespace)::crunch(int (*)(char))") == "crunch()");
  CHECK(short_name("a::b::operator()(int) const") == "a::b::operator()()");
  CHECK(short_name("main::{lambda(int)#1}::operator()(int) const") ==
        "main::{lambda(int)#1}::operator()()");
  CHECK(short_name("serve(serve(int)::_Z5servei.Frame*) [clone .actor]") == "serve()");
  CHECK(short_name("cold() [clone .part.0] [clone .cold]") == "cold()");
  CHECK(short_name("main") == "main");
  CHECK(short_name("") == "");
  CHECK(short_name(")") == ")");
  CHECK(short_name("f(((") == "f(((");
}

TEST_CASE("a perf map gives names to code that was made at run time, whatever is in it") {
  const auto map = PerfMap::parse(
      "7f0000001000 100 py::crunch:/srv/app.py\n"
      "no line\n"
      "7f0000002000 10 jit code\n"
      "7f0000003000 zz broken\n"
      "ffffffffffffffffffff 1 too large\n"
      "7f0000004000 10\n"
      "7f0000005000 10 \x1b[2Jclear");
  const auto python = map.find(0x7f00000010ff);
  REQUIRE(python);
  CHECK(python->function == "crunch()");
  CHECK(python->file == "/srv/app.py");
  CHECK_FALSE(map.find(0x7f0000001100));
  CHECK_FALSE(map.find(0x7f0000000fff));
  CHECK(map.find(0x7f0000002000)->function == "jit code");
  CHECK_FALSE(map.find(0x7f0000003000));
  CHECK_FALSE(map.find(0x7f0000004000));
  CHECK(map.find(0x7f0000005000)->function == "?[2Jclear");
  CHECK_FALSE(PerfMap::parse("").find(0));
}
