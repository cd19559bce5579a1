// SPDX-License-Identifier: GPL-2.0-only
#include "proto/unique_fd.hpp"

#include <fcntl.h>

#include <catch2/catch_test_macros.hpp>

using morpheus::UniqueFd;

namespace {
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
int open_something() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
}  // namespace

TEST_CASE("a UniqueFd closes its descriptor exactly when it goes") {
  const int raw = open_something();
  {
    UniqueFd fd(raw);
    CHECK(is_open(raw));
  }
  CHECK_FALSE(is_open(raw));
}

TEST_CASE("moving a UniqueFd hands the descriptor over") {
  const int raw = open_something();
  UniqueFd first(raw);
  UniqueFd second = std::move(first);
  CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move)
  CHECK(second.get() == raw);
  second = UniqueFd(open_something());
  CHECK(second);
  const int kept = second.release();
  CHECK(is_open(kept));
  ::close(kept);
}
