// SPDX-License-Identifier: GPL-2.0-only
// The two ways in which a task gives way: always, and when it is asked to.
#pragma once

#include <morpheus/safepoint.h>
#include <morpheus/detail/promise.hpp>

#include <coroutine>

namespace morpheus {

struct [[nodiscard]] yield_awaiter {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(
      std::coroutine_handle<P> self) const noexcept {
    return detail::here->yield(detail::job_of(self));
  }
  static void await_resume() noexcept {}
};

/// `co_await yield()` runs every other task that is ready on this thread before the caller goes on,
/// and looks for timers and I/O events that are due. Only in a task.
inline yield_awaiter yield() noexcept { return {}; }

struct [[nodiscard]] checkpoint_awaiter {
  [[nodiscard]] static bool await_ready() noexcept { return !morpheus_asked_here(); }
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(
      std::coroutine_handle<P> self) const noexcept {
    return detail::here->give_way(detail::job_of(self));
  }
  static void await_resume() noexcept {}
};

/// `co_await checkpoint()` gives way if it is asked to, and otherwise costs a load, a compare and a
/// branch. On a hint from the kernel the thread makes its queued tasks available to other threads,
/// acknowledges the hint and gives up the CPU. If an idle thread asks for work, or a task has been
/// ready for long, it runs other tasks first. Only in a task. In a plain function use
/// checkpoint_here() or a safe_point, which acknowledge hints but cannot run other tasks.
inline checkpoint_awaiter checkpoint() noexcept { return {}; }

}  // namespace morpheus
