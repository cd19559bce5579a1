// SPDX-License-Identifier: GPL-2.0-only
// Code that blocks its thread, run beside the runtime's threads.
#pragma once

#include <morpheus/task.hpp>

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace morpheus {

namespace detail {

/// Something to run on a thread that may block. `next` links it while it waits for one.
struct blocking_call {
  void (*run)(blocking_call& self) noexcept;
  blocking_call* next = nullptr;
};
/// Runs `call` on a blocking thread of the calling thread's runtime. Throws std::system_error if
/// there is none and none can be started.
MORPHEUS_API void run_blocking(blocking_call& call);

}  // namespace detail

template <class F>
class [[nodiscard]] blocking_awaiter final : detail::blocking_call {
  using value_type = std::invoke_result_t<F&>;
  static constexpr bool kIsVoid = std::is_void_v<value_type>;

 public:
  explicit blocking_awaiter(F body)
      : blocking_call{&blocking_awaiter::run_it}, body_(std::move(body)) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <detail::task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) {
    task_ = detail::job_of(self);
    where_ = detail::here->where();
    detail::run_blocking(*this);
    return detail::here->next();
  }
  value_type await_resume() {
    if (error_) std::rethrow_exception(error_);
    if constexpr (std::is_reference_v<value_type>)
      return *value_;
    else if constexpr (!kIsVoid)
      return std::move(*value_);
  }

 private:
  static void run_it(detail::blocking_call& call) noexcept {
    auto& self = static_cast<blocking_awaiter&>(call);
    try {
      if constexpr (kIsVoid)
        self.body_();
      else
        self.value_.emplace(self.body_());
    } catch (...) {
      self.error_ = std::current_exception();
    }
    detail::schedule(self.task_, self.where_);
  }

  F body_;
  detail::job* task_ = nullptr;
  detail::lane* where_ = nullptr;
  std::optional<detail::storable_t<value_type>> value_;
  std::exception_ptr error_;
};

/// `co_await blocking(f)` calls f() on a thread that may block, and gives its result or throws its
/// exception. Meanwhile the runtime's threads run other tasks. Blocking threads are started as
/// needed, up to runtime_options::blocking_threads (further calls wait), and end after a second
/// without work. A stop does not end it: f() is not interrupted, and its result is given. Only in a
/// task.
template <class F>
blocking_awaiter<F> blocking(F body) {
  return blocking_awaiter<F>(std::move(body));
}

}  // namespace morpheus
