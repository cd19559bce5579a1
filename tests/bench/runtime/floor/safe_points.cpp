// SPDX-License-Identifier: GPL-2.0-only
// Floor: a load, a compare and a branch in a loop of about 20 instructions.
#include "../safe_point_loop.hpp"

#include <atomic>
#include <coroutine>

#include "../measures.hpp"
#include "coroutine.hpp"

namespace bench {

std::uint64_t requests = 0;  // as far as the compiler knows, other threads write it

namespace {

[[gnu::cold, gnu::noinline]] std::uint64_t answer() {
  return __atomic_load_n(&requests, __ATOMIC_RELAXED);
}

struct Check {
  const std::uint64_t* asked = &requests;
  std::uint64_t seen = 0;
  void operator()() {
    if (__builtin_expect(__atomic_load_n(asked, __ATOMIC_RELAXED) != seen, 0)) seen = answer();
  }
};

struct Await {
  static bool await_ready() {
    return __builtin_expect(__atomic_load_n(&requests, __ATOMIC_RELAXED) == 0, 1);
  }
  static void await_suspend(std::coroutine_handle<>) {}
  static void await_resume() {}
};

least::Job bare(std::size_t n, std::uint64_t& x) {
  std::uint64_t local = x;
  for (; n > 0; n = keep(n - 1)) local = step(local);
  x = local;
  co_return;
}

least::Job checked(std::size_t n, std::uint64_t& x) {
  std::uint64_t local = x;
  for (; n > 0; n = keep(n - 1)) {
    local = step(local);
    co_await Await{};
  }
  x = local;
}

std::uint64_t play_loop(std::string_view variant, std::size_t n, std::uint64_t x) {
  if (variant == "plain-bare") return bare_loop(n, x);
  if (variant == "plain") return checked_loop(n, x, Check{});
  (variant == "coroutine-bare" ? bare(n, x) : checked(n, x)).handle.resume();
  return x;
}

}  // namespace

void checkpoint(const Run& run) { compare_loops(run, play_loop); }
void checkpoint_loop(const Run& run) { play_one_loop(run, play_loop); }

}  // namespace bench
