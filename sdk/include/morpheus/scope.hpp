// SPDX-License-Identifier: GPL-2.0-only
// A scope (nursery): owns the tasks that are started in it, and ends after all of them.
#pragma once

#include <morpheus/detail/scope_state.hpp>
#include <morpheus/task.hpp>

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace morpheus {

/// Tasks that are started in a scope run beside the task that owns it. join() waits for all of
/// them, also for those that they start in it themselves. If one throws, the scope is asked to
/// stop, and join() throws the first such exception.
///
///     morpheus::scope scope;
///     for (auto& item : items) scope.spawn(handle(item));
///     co_await scope.join();
///
/// If it is destroyed without a join, the program ends: in code that can throw in between, use
/// with_scope(). spawn() from any task of the scope; join() once at a time, by its owner; may be
/// used again after a join.
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

  /// What the scope's tasks should heed.
  [[nodiscard]] std::stop_token stop_token() { return state_.stop_token(); }
  /// Asks the scope's tasks to end. Any thread.
  void request_stop() { state_.request_stop(); }

  class [[nodiscard]] join_awaiter {
   public:
    explicit join_awaiter(detail::scope_state& state) noexcept : state_(state) {}
    [[nodiscard]] bool await_ready() const noexcept { return state_.is_alone(); }
    template <detail::task_coroutine P>
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> owner) noexcept {
      if (!state_.wait(detail::job_of(owner))) return owner;
      return detail::here->next();
    }
    void await_resume() { state_.joined(); }

   private:
    detail::scope_state& state_;
  };
  /// Waits until no task of the scope is left.
  [[nodiscard]] join_awaiter join() noexcept { return join_awaiter(state_); }

 private:
  detail::scope_state state_;
};

/// Runs `body(scope)`, a callable that returns a task, and joins the scope whatever happens: if the
/// body throws, the scope is asked to stop first. Gives the body's result.
template <class F>
std::invoke_result_t<F, scope&> with_scope(F body) {
  scope mine;
  std::exception_ptr failure;
  using result_type = typename std::invoke_result_t<F, scope&>::value_type;
  if constexpr (std::is_void_v<result_type>) {
    try {
      co_await body(mine);
    } catch (...) {
      failure = std::current_exception();
      mine.request_stop();
    }
    co_await mine.join();
    if (failure) std::rethrow_exception(failure);
  } else {
    std::optional<result_type> result;
    try {
      result.emplace(co_await body(mine));
    } catch (...) {
      failure = std::current_exception();
      mine.request_stop();
    }
    co_await mine.join();
    if (failure) std::rethrow_exception(failure);
    co_return std::move(*result);
  }
}

}  // namespace morpheus
