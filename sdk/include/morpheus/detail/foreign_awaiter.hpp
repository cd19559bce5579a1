// SPDX-License-Identifier: GPL-2.0-only
// Awaitables that know nothing of the runtime. They resume what awaits them wherever they are: on a
// thread of their own, or in the midst of another task. Instead of the task they get a stand-in to
// resume, which queues the task where it ran: it always comes home.
#pragma once

#include <morpheus/detail/runner.hpp>
#include <morpheus/error.hpp>

#include <coroutine>
#include <type_traits>
#include <utility>

namespace morpheus::detail {

template <class A>
decltype(auto) awaiter_of(A&& awaited) {
  if constexpr (requires { std::forward<A>(awaited).operator co_await(); })
    return std::forward<A>(awaited).operator co_await();
  else if constexpr (requires { operator co_await(std::forward<A>(awaited)); })
    return operator co_await(std::forward<A>(awaited));
  else
    return static_cast<A&&>(awaited);
}
template <class A>
using awaiter_type = decltype(awaiter_of(std::declval<A>()));

/// Those of the runtime can only be awaited by tasks; see task_coroutine.
template <class A>
concept foreign_awaitable = requires(std::remove_reference_t<awaiter_type<A>>& awaiter) {
  awaiter.await_suspend(std::coroutine_handle<>());
};

/// What a foreign awaiter resumes instead of the task. Begins as a coroutine frame does.
class stand_in final : job {
 public:
  stand_in() noexcept : job{&stand_in::resume_task, &stand_in::drop_task, nullptr} {}
  stand_in(const stand_in&) = delete;
  stand_in& operator=(const stand_in&) = delete;

  [[nodiscard]] std::coroutine_handle<> begin(job* task) noexcept {
    task_ = task;
    where_ = here->where();
    return handle_of(this);
  }
  /// Whether the coroutine was destroyed instead of resumed.
  [[nodiscard]] bool is_dropped() const noexcept { return is_dropped_; }

 private:
  static stand_in& of(void* frame) noexcept {
    return *static_cast<stand_in*>(static_cast<job*>(frame));
  }
  static void resume_task(void* frame) { schedule(of(frame).task_, of(frame).where_); }
  static void drop_task(void* frame) {
    of(frame).is_dropped_ = true;
    resume_task(frame);
  }

  job* task_ = nullptr;
  lane* where_ = nullptr;
  bool is_dropped_ = false;
};

template <class A>
class [[nodiscard]] foreign_awaiter {
 public:
  explicit foreign_awaiter(A&& awaited) : awaiter_(awaiter_of(std::forward<A>(awaited))) {}
  foreign_awaiter(const foreign_awaiter&) = delete;
  foreign_awaiter& operator=(const foreign_awaiter&) = delete;
  ~foreign_awaiter() = default;

  [[nodiscard]] bool await_ready() { return static_cast<bool>(awaiter_.await_ready()); }
  template <class P>
    requires requires(P& promise) { promise.is_task(); }
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) {
    job* const task = job_of(self);
    const std::coroutine_handle<> instead = stand_in_.begin(task);
    using result = decltype(awaiter_.await_suspend(instead));
    // Once it was called, the task may go on elsewhere: this object may be gone.
    if constexpr (std::is_void_v<result>) {
      awaiter_.await_suspend(instead);
      return here->next();
    } else if constexpr (std::is_same_v<result, bool>) {
      return awaiter_.await_suspend(instead) ? here->next() : here->transfer(task);
    } else {
      const std::coroutine_handle<> next = awaiter_.await_suspend(instead);
      return here->transfer(next == instead ? task : job_of(next));
    }
  }
  decltype(auto) await_resume() {
    if (stand_in_.is_dropped()) throw cancelled();
    return awaiter_.await_resume();
  }

 private:
  awaiter_type<A> awaiter_;
  stand_in stand_in_;
};

}  // namespace morpheus::detail
