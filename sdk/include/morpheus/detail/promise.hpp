// SPDX-License-Identifier: GPL-2.0-only
// What the frame of every task begins with, and how a task ends.
#pragma once

#include <morpheus/detail/foreign_awaiter.hpp>
#include <morpheus/detail/runner.hpp>
#include <morpheus/detail/stop_context.hpp>

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

/// An awaiter that is awaited where it is. GCC 12 would copy one that await_transform() hands on.
template <class A>
struct [[nodiscard]] awaiter_in_place {
  A& awaiter;
  [[nodiscard]] bool await_ready() noexcept(noexcept(awaiter.await_ready())) {
    return awaiter.await_ready();
  }
  template <class P>
  [[gnu::always_inline]] auto await_suspend(std::coroutine_handle<P> waiting) noexcept(
      noexcept(awaiter.await_suspend(waiting))) {
    return awaiter.await_suspend(waiting);
  }
  decltype(auto) await_resume() { return awaiter.await_resume(); }
};

/// The same for one whose result must not be dropped.
template <class A>
struct [[nodiscard]] must_use_in_place : awaiter_in_place<A> {
  [[nodiscard]] decltype(auto) await_resume() { return this->awaiter.await_resume(); }
};
template <class A>
concept must_use = requires { requires A::kMustUse; };

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
    requires(plain_awaiter<std::remove_reference_t<A>> && !must_use<std::remove_reference_t<A>> &&
             !foreign_awaitable<A>)
  [[nodiscard]] awaiter_in_place<std::remove_reference_t<A>> await_transform(
      A&& awaited, const void* at = __builtin_source_location()) noexcept {
    where_ = at;
    return {awaited};
  }
  template <class A>
    requires must_use<std::remove_reference_t<A>>
  [[nodiscard]] must_use_in_place<std::remove_reference_t<A>> await_transform(
      A&& awaited, const void* at = __builtin_source_location()) noexcept {
    where_ = at;
    return {{awaited}};
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
  /// The task is one of those of `called`.
  void complete_at_end(stop_context& called) noexcept {
    at_end_ = reinterpret_cast<std::uintptr_t>(&called) | kContext;
  }
  /// The task is the only one of `called`.
  void complete_alone_at_end(stop_context& called) noexcept {
    at_end_ = reinterpret_cast<std::uintptr_t>(&called) | kRoot;
  }
  /// Whether it is a task of `called` and has not waited yet.
  [[nodiscard]] bool completes(stop_context& called) const noexcept {
    return at_end_ == (reinterpret_cast<std::uintptr_t>(&called) | kContext);
  }
  /// The coroutine that waits for this one; null if a context is told of its end.
  [[nodiscard]] job* awaited_by() const noexcept {
    return is_root() ? nullptr : reinterpret_cast<job*>(at_end_ & ~kFlags);
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

  friend class task_stop;

  // How a task that no coroutine awaits knows its context: by its address with kContext; by its
  // slot with kSlot; or, if it is the only one there, by the address with both.
  static constexpr std::uintptr_t kContext = 1, kFailed = 2, kSlot = 4, kRoot = 5, kFlags = 7;
  [[nodiscard]] bool is_root() const noexcept { return (at_end_ & kRoot) != 0; }
  [[nodiscard]] wait_slot& slot() const noexcept {
    return *reinterpret_cast<wait_slot*>(at_end_ & ~kFlags);
  }
  [[nodiscard]] bool has_slot() const noexcept { return (at_end_ & kRoot) == kSlot; }
  [[nodiscard]] stop_context& context() const noexcept {
    return has_slot() ? *wait_slots::of(slot()).owner
                      : *reinterpret_cast<stop_context*>(at_end_ & ~kFlags);
  }

  [[nodiscard]] std::coroutine_handle<> finish(job* ended) noexcept {
    if (MORPHEUS_LIKELY((at_end_ & kFlags) == 0))
      return here->transfer(reinterpret_cast<job*>(at_end_));
    return complete(ended);
  }
  [[nodiscard]] std::coroutine_handle<> complete(job* ended) noexcept {
    job* const next = MORPHEUS_LIKELY((at_end_ & (kContext | kFailed)) == kContext)
                          ? reinterpret_cast<stop_context*>(at_end_ & ~kFlags)->done(ended)
                          : complete_slowly(ended);
    return next != nullptr ? here->transfer(next) : here->next();
  }
  // It has failed, or has a slot of its own.
  [[nodiscard]] MORPHEUS_API job* complete_slowly(job* ended) noexcept;

  [[maybe_unused]] job* next_;  // job::next; never used by this name
  std::uintptr_t at_end_ = 0;   // a job, or what is_root() means; kFailed
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

/// How the task that `leaf` works for is stopped: by its context, through the slot where it
/// publishes what it waits in. The awaits between the two are followed each time, so that no frame
/// need remember it.
class task_stop {
 public:
  /// The task is about to wait in `wait`, which may be stopped from now on. False: enter() comes
  /// first, and publish_entered().
  [[nodiscard]] static bool publish(job* leaf, published_wait wait) noexcept {
    return MORPHEUS_LIKELY(put_at_once(leaf, wait)) || put(leaf, wait) == 0;
  }
  /// For a task that has not waited before, or whose publish() has failed: withdraws what was
  /// published, and waits for a stop that looks at it. Under no lock. Throws std::bad_alloc.
  MORPHEUS_API MORPHEUS_COLD static void enter(job* leaf);
  /// False: the task is asked to stop.
  [[nodiscard]] MORPHEUS_API MORPHEUS_COLD static bool publish_entered(
      job* leaf, published_wait wait) noexcept;
  /// All of that, under no lock. False: the task is asked to stop, and withdraws what was
  /// published.
  [[nodiscard]] static bool begin_wait(job* leaf, published_wait wait) {
    if (MORPHEUS_LIKELY(publish(leaf, wait))) return true;
    enter(leaf);
    return publish_entered(leaf, wait);
  }
  /// The task has waited: from now on no stop touches what was published. Whether the task is asked
  /// to stop.
  static bool withdraw(job* leaf) noexcept {  // NOLINT(modernize-use-nodiscard)
    return !MORPHEUS_LIKELY(put_at_once(leaf, 0)) && withdraw_slowly(leaf);
  }

  /// For code that is inlined at each await: publishes, or withdraws with 0, if `leaf` is all of
  /// the task and there is nothing else to do. False: to be done anew, by one of the above.
  [[nodiscard, gnu::always_inline]] static bool put_at_once(job* leaf,
                                                            published_wait wait) noexcept {
    const std::uintptr_t root = promise_of(leaf).at_end_;
    if (!MORPHEUS_LIKELY((root & promise_base::kRoot) == promise_base::kSlot)) return false;
    auto& slot = *reinterpret_cast<wait_slot*>(root - promise_base::kSlot);
    slot.store(wait, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return MORPHEUS_LIKELY(wait_slots::of(slot).marks.load(std::memory_order_acquire) == 0);
  }

  /// The context of the task.
  [[nodiscard]] MORPHEUS_API static stop_context& around(job* leaf) noexcept;

 private:
  // Returns the marks of the context: 0 if that was all.
  [[nodiscard]] MORPHEUS_API static std::uint8_t put(job* leaf, published_wait wait) noexcept;
  /// Whether it is asked to stop.
  [[nodiscard]] MORPHEUS_API static bool withdraw_slowly(job* leaf) noexcept;
  [[nodiscard]] static promise_base& root_of(job* leaf) noexcept;
};

}  // namespace morpheus::detail
