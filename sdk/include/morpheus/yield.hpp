// SPDX-License-Identifier: GPL-2.0-only
// The two ways in which a task gives way: always, and when somebody asks.
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

/// `co_await yield()` lets every task that is ready on this worker run before the caller goes on,
/// and every timer and I/O event that is due be seen. Only in a task.
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

/// `co_await checkpoint()` gives way if somebody asks, and costs a load, a compare and a branch if
/// nobody does. Asked by the kernel, the worker makes its queued tasks available to other workers,
/// acknowledges and gives up the CPU; asked by an idle worker or by a task that has long been
/// ready, it runs other tasks first. Only in a task. In a plain function: checkpoint_here() or a
/// safe_point, which answer the kernel but cannot run other tasks.
inline checkpoint_awaiter checkpoint() noexcept { return {}; }

}  // namespace morpheus
