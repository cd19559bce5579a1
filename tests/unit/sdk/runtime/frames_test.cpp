// SPDX-License-Identifier: GPL-2.0-only
// Where frames live, and that their memory goes back to the system.
#include <morpheus/event.hpp>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/yield.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <fstream>
#include <optional>
#include <string>

#include "tests/unit/sdk/runtime/runtimes.hpp"

using namespace morpheus;
using morpheus::test::alone;

namespace {

constexpr std::ptrdiff_t kMiB = 1 << 20;

std::ptrdiff_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::ptrdiff_t size = 0;
  std::ptrdiff_t resident = 0;
  in >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

template <std::size_t Size>
task<> wait_with(event& end) {
  std::array<char, Size> local{};
  char* volatile const used = local.data();
  co_await end;
  *used = local.back();
}

/// How much memory so many tasks take at once, and how much is left when they have ended.
struct usage {
  std::ptrdiff_t most;
  std::ptrdiff_t left;
};
task<usage> crowd(int tasks) {
  const std::ptrdiff_t before = resident_bytes();
  event end;
  scope scope;
  for (int i = 0; i < tasks; ++i) scope.spawn(wait_with<250>(end));
  co_await yield();
  const std::ptrdiff_t most = resident_bytes() - before;
  end.set();
  co_await scope.join();
  co_return usage{most, resident_bytes() - before};
}

}  // namespace

TEST_CASE("the memory of frames goes back to the system when many are free") {
  if (MORPHEUS_SANITIZED) SKIP("frames come from operator new");
  const std::ptrdiff_t before = resident_bytes();
  std::optional<runtime> on(std::in_place, alone());
  for (int round = 0; round < 3; ++round) {
    const usage used = on->run(crowd(300'000));
    CHECK(used.most > 80 * kMiB);
    CHECK(used.left < 40 * kMiB);
  }
  on.reset();
  CHECK(resident_bytes() - before < 8 * kMiB);
}

TEST_CASE("tasks with large frames are found, too") {
  runtime on(alone());
  const auto shown = on.run([]() -> task<bool> {
    event end;
    scope scope;
    scope.spawn(wait_with<5000>(end));
    co_await yield();
    const auto all = tasks();
    const bool is_found = std::ranges::any_of(all, [](const task_info& each) {
      return each.function.find("wait_with") != std::string::npos;
    });
    end.set();
    co_await scope.join();
    co_return is_found&& tasks().size() < all.size();
  }());
  CHECK(shown);
}
