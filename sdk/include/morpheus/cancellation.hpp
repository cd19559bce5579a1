// SPDX-License-Identifier: GPL-2.0-only
// A task, or anything else that is awaited, for a limited time; a task that no stop reaches; and
// whether the running task is asked to stop.
#pragma once

#include <morpheus/detail/timeout_block.hpp>
#include <morpheus/error.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/task.hpp>
#include <morpheus/when_any.hpp>

#include <chrono>
#include <coroutine>
#include <utility>

namespace morpheus {

template <class T>
class [[nodiscard]] timeout_awaiter {
 public:
  timeout_awaiter(task<T> limited, std::uint64_t deadline_ns) noexcept
      : task_(std::move(limited)), block_(deadline_ns) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) {
    return block_.start(parent, detail::job_of(task_.frame()));
  }
  T await_resume() {
    const bool is_stopped = block_.ended();
    if (!block_.has_expired() || is_stopped) return task_.frame().promise().take();
    try {
      return task_.frame().promise().take();
    } catch (const cancelled&) {
      throw timed_out();
    }
  }

 private:
  task<T> task_;
  detail::timeout_block block_;
};

/// `co_await with_timeout(1s, f())` gives the task's result or throws its exception. Once the time
/// has passed, the task is asked to stop, and awaited; if it ends with `cancelled` then,
/// `timed_out` is thrown. Only in a task.
template <class Rep, class Period, class T>
timeout_awaiter<T> with_timeout(std::chrono::duration<Rep, Period> span, task<T> limited) {
  return {std::move(limited), detail::deadline_after(span)};
}
/// The same until a point in time.
template <class T>
timeout_awaiter<T> with_timeout(std::chrono::steady_clock::time_point until, task<T> limited) {
  return {std::move(limited), detail::deadline_at(until)};
}

namespace detail {
template <class A>
task<awaited_t<A>> as_task(A awaited) {
  co_return co_await std::forward<A>(awaited);
}
template <class A>
inline constexpr bool kIsTask = false;
template <class T>
inline constexpr bool kIsTask<task<T>> = true;
}  // namespace detail

/// The same for anything else that can be awaited: `co_await with_timeout(1s, inbox.receive())`.
/// Temporaries are moved; lvalues must outlive the wait.
template <class Limit, class A>
  requires(!detail::kIsTask<std::remove_cvref_t<A>>)
auto with_timeout(Limit limit, A&& awaited) {
  return with_timeout(limit,
                      detail::as_task<detail::kept_t<A>>(detail::keep(std::forward<A>(awaited))));
}

template <class T>
class [[nodiscard]] shield_awaiter {
 public:
  explicit shield_awaiter(task<T> kept) noexcept : task_(std::move(kept)) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
    return block_.start(parent, detail::job_of(task_.frame()));
  }
  T await_resume() { return task_.frame().promise().take(); }

 private:
  task<T> task_;
  detail::shield_block block_;
};

/// `co_await shielded(flush(file))` runs a task that is not asked to stop when this one is: for
/// cleaning up. Only in a task.
template <class T>
shield_awaiter<T> shielded(task<T> kept) noexcept {
  return shield_awaiter<T>(std::move(kept));
}

class [[nodiscard]] stop_requested_awaiter {
 public:
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <detail::task_coroutine P>
  [[nodiscard]] bool await_suspend(std::coroutine_handle<P> self) {
    detail::stop_context& around = detail::task_stop::around(detail::job_of(self));
    around.enter();
    is_stopped_ = around.is_stopped();
    return false;
  }
  [[nodiscard]] bool await_resume() const noexcept { return is_stopped_; }

 private:
  bool is_stopped_ = false;
};

/// `bool stop = co_await stop_requested()`: whether the task is asked to stop, for loops that
/// compute and wait for nothing. Does not wait. Only in a task.
inline stop_requested_awaiter stop_requested() noexcept { return {}; }

}  // namespace morpheus
