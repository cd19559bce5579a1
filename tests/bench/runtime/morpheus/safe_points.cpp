// SPDX-License-Identifier: GPL-2.0-only
// Morpheus: its safe point in a plain function and in a task.
#include <morpheus/yield.hpp>

#include "../measures.hpp"
#include "../safe_point_loop.hpp"
#include "runtimes.hpp"

namespace bench {
namespace {

using morpheus::task;

struct Check {
  morpheus::safe_point here;
  void operator()() { here.checkpoint(); }
};

task<std::uint64_t> bare(std::size_t n, std::uint64_t x) {
  for (; n > 0; n = keep(n - 1)) x = step(x);
  co_return x;
}

task<std::uint64_t> checked(std::size_t n, std::uint64_t x) {
  for (; n > 0; n = keep(n - 1)) {
    x = step(x);
    co_await morpheus::checkpoint();
  }
  co_return x;
}

task<std::uint64_t> plain(std::size_t n, std::uint64_t x) { co_return checked_loop(n, x, Check{}); }

task<std::uint64_t> plain_bare(std::size_t n, std::uint64_t x) { co_return bare_loop(n, x); }

/// Runs the loops in a task.
class InTask {
 public:
  std::uint64_t operator()(std::string_view variant, std::size_t n, std::uint64_t x) {
    return runtime_.run(variant == "plain"        ? plain(n, x)
                        : variant == "plain-bare" ? plain_bare(n, x)
                        : variant == "coroutine"  ? checked(n, x)
                                                  : bare(n, x));
  }

 private:
  morpheus::runtime runtime_{threads(1)};
};

}  // namespace

void checkpoint(const Run& run) { compare_loops(run, InTask()); }
void checkpoint_loop(const Run& run) { play_one_loop(run, InTask()); }

}  // namespace bench
