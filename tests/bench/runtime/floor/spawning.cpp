// SPDX-License-Identifier: GPL-2.0-only
// Floor: tasks that come and go.
#include <string>

#include "../fib.hpp"
#include "../measures.hpp"
#include "../resident.hpp"
#include "coroutine.hpp"

namespace bench {
namespace {

using least::Job;
using least::Ready;

Job trivial(std::size_t& left) {
  --left;
  co_return;
}

double spawn_and_join(std::size_t n) {
  Ready ready(kBatch);
  const auto start = Clock::now();
  for (std::size_t done = 0; done < n; done += kBatch) {
    std::size_t left = kBatch;
    for (std::size_t i = 0; i < kBatch; ++i) ready.push(trivial(left).handle);
    ready.run();
    if (left != 0) std::abort();
  }
  return seconds_since(start);
}

/// A call whose caller goes on when it ends. A fork would differ only in that another thread could
/// take the caller meanwhile; here there is none.
class Fib {
 public:
  struct promise_type : least::Recycled {
    std::uint64_t value = 0;
    std::coroutine_handle<> caller = std::noop_coroutine();

    Fib get_return_object() { return Fib{Handle::from_promise(*this)}; }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    struct Return {
      static bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended) noexcept {
        return ended.promise().caller;
      }
      static void await_resume() noexcept {}
    };
    static Return final_suspend() noexcept { return {}; }
    void return_value(std::uint64_t result) { value = result; }
    static void unhandled_exception() { std::abort(); }
  };
  using Handle = std::coroutine_handle<promise_type>;

  explicit Fib(Handle handle) : handle_(handle) {}
  Fib(const Fib&) = delete;
  ~Fib() { handle_.destroy(); }

  static bool await_ready() { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) {
    handle_.promise().caller = caller;
    return handle_;
  }
  void await_resume() {}
  std::uint64_t run() {
    handle_.resume();
    return value();
  }
  [[nodiscard]] std::uint64_t value() const { return handle_.promise().value; }

 private:
  Handle handle_;
};

Fib fib(unsigned n) {
  if (n < 2) co_return n;
  Fib left = fib(n - 1);
  co_await left;
  Fib right = fib(n - 2);
  co_await right;
  co_return left.value() + right.value();
}

/// What very many tasks wait for: one list through their frames.
struct Event {
  struct Wait {
    Event& event;
    std::coroutine_handle<> task{};
    Wait* next = nullptr;
    static bool await_ready() { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
      task = waiter;
      next = std::exchange(event.first, this);
    }
    static void await_resume() {}
  };
  Wait* first = nullptr;
};

Job wait_for(Event& event, std::size_t& woken) {
  co_await Event::Wait{event};
  ++woken;
}

}  // namespace

void spawn_join(const Run& run) { report("task", nanoseconds_each(run, kBatch, spawn_and_join)); }

void fork_join(const Run& run) {
  const auto n = fib_for(run);
  const auto start = Clock::now();
  const std::uint64_t result = fib(n).run();
  report_fib(n, result, seconds_since(start));
}

void memory(const Run& run) {
  const std::size_t tasks = run.scaled(1'000'000);
  const double before = resident_bytes();
  Event event;
  std::size_t woken = 0;
  for (std::size_t i = 0; i < tasks; ++i) wait_for(event, woken).handle.resume();
  report("bytes", (resident_bytes() - before) / static_cast<double>(tasks));
  for (auto* wait = event.first; wait != nullptr;) std::exchange(wait, wait->next)->task.resume();
  if (woken != tasks) std::abort();
}

}  // namespace bench
