// SPDX-License-Identifier: GPL-2.0-only
// task<T>: a coroutine that starts when it is awaited or spawned, and ends with a T or an
// exception.
#pragma once

#include <morpheus/detail/promise.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace morpheus {

template <class T>
class task;

namespace detail {

template <class T>
class task_promise final : public promise_base {
 public:
  task_promise() noexcept {}
  task_promise(const task_promise&) = delete;
  task_promise& operator=(const task_promise&) = delete;
  ~task_promise() {
    if (has_value_) std::destroy_at(std::addressof(value_));
  }
  [[nodiscard]] task<T> get_return_object() noexcept;
  template <std::convertible_to<T> U = T>
  void return_value(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>) {
    std::construct_at(std::addressof(value_), std::forward<U>(value));
    has_value_ = true;
  }
  [[nodiscard]] T take() {
    rethrow();
    return take_value();
  }
  /// If it has not failed.
  [[nodiscard]] T take_value() { return std::move(value_); }

 private:
  static_assert(alignof(T) <= alignof(std::max_align_t), "a result may not be over-aligned");
  union {
    T value_;
  };
  bool has_value_ = false;
};

template <class T>
class task_promise<T&> final : public promise_base {
 public:
  [[nodiscard]] task<T&> get_return_object() noexcept;
  void return_value(T& value) noexcept { value_ = std::addressof(value); }
  [[nodiscard]] T& take() {
    rethrow();
    return take_value();
  }
  [[nodiscard]] T& take_value() const noexcept { return *value_; }

 private:
  T* value_ = nullptr;
};

template <>
class task_promise<void> final : public promise_base {
 public:
  [[nodiscard]] task<void> get_return_object() noexcept;
  static void return_void() noexcept {}
  void take() const { rethrow(); }
  static void take_value() noexcept {}
};

}  // namespace detail

/// A coroutine that has not begun. `co_await std::move(t)` (or of a temporary) runs it on the
/// awaiting task's thread, without any queue, and gives its result or throws its exception.
/// spawn(), scope and when_all() run it beside others.
///
///     morpheus::task<int> answer() { co_return 42; }
///     morpheus::task<> use() { std::printf("%d\n", co_await answer()); }
///
/// Owns the coroutine; one that was never started is destroyed with the task. Result types may not
/// be aligned to more than std::max_align_t. Movable; for one thread at a time.
template <class T = void>
class [[nodiscard]] task {
 public:
  using promise_type = detail::task_promise<T>;
  using value_type = T;

  task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~task() {
    if (frame_) frame_.destroy();
  }

  /// Whether it holds a coroutine: not after it was moved from.
  [[nodiscard]] explicit operator bool() const noexcept { return frame_ != nullptr; }

  class [[nodiscard]] awaiter {
   public:
    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <detail::task_coroutine P>
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> waiting) noexcept {
      frame_.promise().resume_at_end(detail::job_of(waiting));
      return detail::here->transfer(detail::job_of(frame_));
    }
    T await_resume() { return frame_.promise().take(); }

   private:
    friend task;
    explicit awaiter(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
  };

  /// The task must outlive the await: it does in `co_await f()` and `co_await std::move(t)`.
  [[nodiscard]] awaiter operator co_await() && noexcept { return awaiter(frame_); }

  /// For the library: the coroutine, still owned by the task.
  [[nodiscard]] std::coroutine_handle<promise_type> frame() const noexcept { return frame_; }
  /// For the library: the coroutine, now owned by the caller.
  [[nodiscard]] std::coroutine_handle<promise_type> release() noexcept {
    return std::exchange(frame_, nullptr);
  }

 private:
  friend detail::task_promise<T>;
  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
}
template <class T>
task<T&> task_promise<T&>::get_return_object() noexcept {
  return task<T&>(std::coroutine_handle<task_promise>::from_promise(*this));
}
inline task<void> task_promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<task_promise>::from_promise(*this));
}

/// A task's result as a value that can be stored.
template <class T>
struct storable {
  using type = T;
};
template <class T>
struct storable<T&> {
  using type = std::reference_wrapper<T>;
};
template <>
struct storable<void> {
  using type = std::monostate;
};
template <class T>
using storable_t = typename storable<T>::type;

template <class T>
[[nodiscard]] storable_t<T> take_value(const task<T>& ended) {
  if constexpr (std::is_void_v<T>)
    return {};
  else
    return ended.frame().promise().take_value();
}

}  // namespace detail
}  // namespace morpheus
