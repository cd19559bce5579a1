// SPDX-License-Identifier: GPL-2.0-only
// What the frame of every task begins with, and how a task ends.
#pragma once

#include <morpheus/detail/foreign_awaiter.hpp>
#include <morpheus/detail/runner.hpp>

#include <bit>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

namespace morpheus::detail {

/// What happens when a task ends, if it is more than the resumption of one coroutine.
class completion {
 public:
  using handler = job* (*)(completion& self, job* ended) noexcept;
  explicit constexpr completion(handler on_end) noexcept : done_(on_end) {}
  completion(const completion&) = delete;
  completion& operator=(const completion&) = delete;
  /// Returns what to run next; null: any job that is ready.
  [[nodiscard]] job* done(job* ended) noexcept { return done_(*this, ended); }

 private:
  handler done_;
};

/// An awaiter that is awaited where it is. GCC 12 would copy one that await_transform() hands on.
template <class A>
struct [[nodiscard]] awaiter_in_place {
  A& awaiter;
  [[nodiscard]] bool await_ready() noexcept(noexcept(awaiter.await_ready())) {
    return awaiter.await_ready();
  }
  template <class P>
  auto await_suspend(std::coroutine_handle<P> waiting) noexcept(
      noexcept(awaiter.await_suspend(waiting))) {
    return awaiter.await_suspend(waiting);
  }
  decltype(auto) await_resume() { return awaiter.await_resume(); }
};

template <class A>
concept plain_awaiter = requires(A& awaiter) { awaiter.await_ready(); };

/// The part of a promise that does not depend on the result. Begins at kPromiseOffset of the frame.
class promise_base {
 public:
  static void* operator new(std::size_t size) { return here->frames.allocate(size); }
  static void operator delete(void* frame, std::size_t size) noexcept {
    here->frames.release(frame, size);
  }

  [[nodiscard]] static std::suspend_always initial_suspend() noexcept { return {}; }

  struct final_awaiter {
    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class P>
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> ended) noexcept {
      return static_cast<promise_base&>(ended.promise()).finish(job_of(ended));
    }
    static void await_resume() noexcept {}
  };
  [[nodiscard]] static final_awaiter final_suspend() noexcept { return {}; }

  /// Notes where the coroutine is, for diagnosis. As the pointer that a std::source_location is:
  /// GCC would keep a whole object in the frame for each await.
  template <class A>
  [[nodiscard]] A&& await_transform(A&& awaited,
                                    const void* at = __builtin_source_location()) noexcept {
    where_ = at;
    return std::forward<A>(awaited);
  }
  template <class A>
    requires(plain_awaiter<std::remove_reference_t<A>> && !foreign_awaitable<A>)
  [[nodiscard]] awaiter_in_place<std::remove_reference_t<A>> await_transform(
      A&& awaited, const void* at = __builtin_source_location()) noexcept {
    where_ = at;
    return {awaited};
  }

  /// What is not of the runtime brings the task home; see foreign_awaiter.
  template <foreign_awaitable A>
  [[nodiscard]] foreign_awaiter<A> await_transform(A&& awaited,
                                                   const void* at = __builtin_source_location()) {
    static_assert(
        !std::is_same_v<std::remove_cvref_t<A>, std::suspend_always>,
        "std::suspend_always would suspend the task for ever: co_await morpheus::yield()");
    where_ = at;
    return foreign_awaiter<A>(std::forward<A>(awaited));
  }
  /// For foreign_awaiter.
  static void is_task() noexcept {}

  void resume_at_end(job* waiting) noexcept { at_end_ = reinterpret_cast<std::uintptr_t>(waiting); }
  void complete_at_end(completion& called) noexcept {
    at_end_ = reinterpret_cast<std::uintptr_t>(&called) | kCompletion;
  }
  [[nodiscard]] bool completes(const completion& called) const noexcept {
    return at_end_ == (reinterpret_cast<std::uintptr_t>(&called) | kCompletion);
  }
  /// The coroutine that waits for this one; null if a completion does.
  [[nodiscard]] job* awaited_by() const noexcept {
    return (at_end_ & kCompletion) != 0 ? nullptr : reinterpret_cast<job*>(at_end_ & ~kFlags);
  }

  void unhandled_exception() noexcept {
    std::construct_at(&error_, std::current_exception());
    at_end_ |= kFailed;
  }
  /// What it ended with, unless with a value.
  [[nodiscard]] std::exception_ptr error() const noexcept {
    return has_failed() ? error_ : nullptr;
  }
  [[nodiscard]] bool has_failed() const noexcept { return (at_end_ & kFailed) != 0; }
  /// Its last await, if it is suspended in one.
  [[nodiscard]] std::source_location where() const noexcept {
    return has_failed() || where_ == nullptr ? std::source_location()
                                             : std::bit_cast<std::source_location>(where_);
  }

 protected:
  promise_base() noexcept : where_(nullptr) {}
  promise_base(const promise_base&) = delete;
  promise_base& operator=(const promise_base&) = delete;
  ~promise_base() {
    if (has_failed()) std::destroy_at(&error_);
  }
  void rethrow() const {
    if (!MORPHEUS_LIKELY(!has_failed())) throw_error();
  }

 private:
  // Out of line, so that the path without an exception is inlined.
  [[noreturn, gnu::cold, gnu::noinline]] void throw_error() const {
    std::rethrow_exception(error_);
  }

  static constexpr std::uintptr_t kCompletion = 1, kFailed = 2, kFlags = 3;

  [[nodiscard]] std::coroutine_handle<> finish(job* ended) noexcept {
    if (MORPHEUS_LIKELY((at_end_ & kFlags) == 0))
      return here->transfer(reinterpret_cast<job*>(at_end_));
    return complete(ended);
  }
  [[nodiscard]] std::coroutine_handle<> complete(job* ended) noexcept {
    if ((at_end_ & kCompletion) == 0) return here->transfer(awaited_by());
    job* const next = reinterpret_cast<completion*>(at_end_ & ~kFlags)->done(ended);
    return next != nullptr ? here->transfer(next) : here->next();
  }

  [[maybe_unused]] job* next_;  // job::next; never used by this name
  std::uintptr_t at_end_ = 0;   // a job, or a completion with kCompletion; kFailed
  union {
    const void* where_;
    std::exception_ptr error_;  // with kFailed
  };
};

/// Only tasks can await what the runtime resumes: it queues them through their promise.
template <class P>
concept task_coroutine = std::derived_from<P, promise_base>;

/// The promise of a suspended task.
[[nodiscard]] inline promise_base& promise_of(job* task) noexcept {
  return *reinterpret_cast<promise_base*>(reinterpret_cast<char*>(task) + kPromiseOffset);
}

}  // namespace morpheus::detail
