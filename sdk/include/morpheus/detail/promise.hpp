// SPDX-License-Identifier: GPL-2.0-only
// What the frame of every task begins with, and how a task ends.
#pragma once

#include <morpheus/detail/runner.hpp>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <source_location>
#include <utility>

namespace morpheus::detail {

/// Who is told that a task has ended, if that is more than one coroutine that waits for it.
class completion {
 public:
  using handler = job* (*)(completion& self, job* ended) noexcept;
  explicit constexpr completion(handler done) noexcept : done_(done) {}
  /// Returns what to run next; null: whatever is ready.
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

  /// Notes where the coroutine is, for whoever asks what it waits for.
  template <class A>
  [[nodiscard]] A&& await_transform(
      A&& awaited, std::source_location at = std::source_location::current()) noexcept {
    where_ = at;
    return std::forward<A>(awaited);
  }
  template <class A>
    requires requires(A& awaiter) { awaiter.await_ready(); }
  [[nodiscard]] awaiter_in_place<A> await_transform(
      A& awaited, std::source_location at = std::source_location::current()) noexcept {
    where_ = at;
    return {awaited};
  }

  void resume_at_end(job* waiting) noexcept {
    at_end_ = reinterpret_cast<std::uintptr_t>(waiting);
  }
  void complete_at_end(completion& told) noexcept {
    at_end_ = reinterpret_cast<std::uintptr_t>(&told) | kCompletion;
  }
  [[nodiscard]] bool completes(const completion& told) const noexcept {
    return at_end_ == (reinterpret_cast<std::uintptr_t>(&told) | kCompletion);
  }
  void unhandled_exception() noexcept { error_ = std::current_exception(); }
  [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }
  /// Interned by the library; null if it has none.
  [[nodiscard]] const char* name() const noexcept { return name_; }
  void set_name(const char* interned) noexcept { name_ = interned; }
  [[nodiscard]] const std::source_location& where() const noexcept { return where_; }
  [[nodiscard]] std::uintptr_t at_end() const noexcept { return at_end_; }

 protected:
  promise_base() = default;
  ~promise_base() = default;
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static constexpr std::uintptr_t kCompletion = 1;

  [[nodiscard]] std::coroutine_handle<> finish(job* ended) noexcept {
    if (MORPHEUS_LIKELY((at_end_ & kCompletion) == 0))
      return here->transfer(reinterpret_cast<job*>(at_end_));
    return complete(ended);
  }
  [[nodiscard]] std::coroutine_handle<> complete(job* ended) noexcept {
    job* const next = reinterpret_cast<completion*>(at_end_ - kCompletion)->done(ended);
    return next != nullptr ? here->transfer(next) : here->next();
  }

  [[maybe_unused]] job* next_;  // job::next; never used by this name
  std::uintptr_t at_end_ = 0;   // a job, or a completion with kCompletion
  std::exception_ptr error_;
  const char* name_ = nullptr;
  std::source_location where_;
};

/// The promise of a suspended task.
[[nodiscard]] inline promise_base& promise_of(job* task) noexcept {
  return *reinterpret_cast<promise_base*>(reinterpret_cast<char*>(task) + kPromiseOffset);
}

}  // namespace morpheus::detail
