// SPDX-License-Identifier: GPL-2.0-only
// A scope (nursery): owns the tasks that are started in it, and ends after all of them.
#pragma once

#include <morpheus/detail/scope_state.hpp>
#include <morpheus/task.hpp>

#include <coroutine>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace morpheus {

/// Tasks that are started in a scope run beside the task that owns it. join() waits for all of
/// them, also for those that they start in it themselves. If one fails, the scope is stopped, and
/// join() throws: the exception, or `failures` if several fail. A task that ends with `cancelled`
/// has not failed. A stop of the owner during join() stops the scope; join() then throws
/// `cancelled`, unless a task has failed.
///
///     morpheus::scope scope;
///     for (auto& item : items) scope.spawn(handle(item));
///     co_await scope.join();
///
/// If it is destroyed after a spawn() without a join(), the program ends: in code that can throw in
/// between, and every wait can, use with_scope(). spawn() from any task of the scope; join() once
/// at a time, by its owner; may be used again after a join, unless it was stopped.
class scope {
 public:
  scope() = default;
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;
  /// A stop request of `outer`, an outer scope's or the runtime's, stops this one, too.
  explicit scope(std::stop_token outer) { state_.stop_with(std::move(outer)); }
  ~scope() = default;

  /// Starts `child` at the end of the calling thread's queue. Its result is dropped.
  template <class T>
  void spawn(task<T> child) {
    detail::here->push(state_.adopt(detail::job_of(child.release())));
  }

  /// For code that cannot be told by its waits: is asked to stop when the scope is.
  [[nodiscard]] std::stop_token stop_token() { return state_.stop_token(); }
  /// Asks the scope's tasks to end: their waits throw `cancelled`. Any thread.
  void request_stop() noexcept { state_.request_stop(); }

  class [[nodiscard]] join_awaiter {
   public:
    explicit join_awaiter(detail::scope_state& state) noexcept : state_(state) {}
    [[nodiscard]] bool await_ready() const noexcept { return state_.is_alone(); }
    template <detail::task_coroutine P>
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> owner) {
      if (!state_.wait(detail::job_of(owner))) return detail::here->transfer(detail::job_of(owner));
      return detail::here->next();
    }
    void await_resume() { state_.joined(); }

   private:
    detail::scope_state& state_;
  };
  /// Waits until no task of the scope is left.
  [[nodiscard]] join_awaiter join() noexcept { return join_awaiter(state_); }

 private:
  template <class F>
  friend std::invoke_result_t<F, scope&> with_scope(F body);

  detail::scope_state state_;
};

namespace detail {

/// Starts a scope's body as one of its tasks, at once, and waits for all of them.
template <class T>
class [[nodiscard]] body_awaiter {
 public:
  body_awaiter(scope_state& state, const task<T>& body) noexcept
      : state_(state), body_(job_of(body.frame())) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> owner) {
    task_stop::enter(job_of(owner));  // so that wait() does not throw
    job* const first = state_.adopt_body(body_);
    (void)state_.wait(job_of(owner));  // for the body at least
    return here->transfer(first);
  }
  void await_resume() { state_.joined(); }

 private:
  scope_state& state_;
  job* body_;
};

}  // namespace detail

/// Runs `body(scope)`, a callable that returns a task, as the first task of the scope, and joins
/// the scope whatever happens: if the body or another task fails, all are stopped. Gives the body's
/// result, or throws as scope::join() does; `cancelled` also if the body ended with that.
template <class F>
std::invoke_result_t<F, scope&> with_scope(F body) {
  scope mine;
  const auto running = body(mine);
  co_await detail::body_awaiter(mine.state_, running);
  co_return running.frame().promise().take();
}

}  // namespace morpheus
