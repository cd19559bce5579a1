// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/console/columns.hpp"

#include <catch2/catch_test_macros.hpp>

#include "daemon/ctl/console/reply.hpp"

using namespace morpheus::ctl;

TEST_CASE("text is cut and padded by the columns that it takes") {
  CHECK(cut("worker", 4) == "work");
  CHECK(padded("worker", 8) == "worker  ");
  CHECK(columns_of("日本語") == 6);
  CHECK(cut("日本語", 5) == "日本");  // half an ideograph cannot be shown
  CHECK(padded("日本語", 5) == "日本 ");
  CHECK(columns_of("e\u0301te\u0301") == 3);
  CHECK(cut("e\u0301te\u0301", 1) == "e\u0301");
  CHECK(padded("", 3) == "   ");
}

TEST_CASE("no text controls the terminal, and none that is broken stops the picture") {
  CHECK(cut("a\033[2Jb", 10) == "a?[2Jb");
  CHECK(cut("a\u009b2Jb", 10) == "a?2Jb");  // the same in one character
  CHECK(cut("\xff\xe6\x97", 10) == "???");
  CHECK(cut(std::string("a\0b", 3), 10) == "a?b");
  CHECK(text({{"name", "a\u009b2J\u0080\n"}}, "name") == "a?2J??");
  CHECK(text({{"name", "\u00e9\u65e5"}}, "name") == "\u00e9\u65e5");
}
