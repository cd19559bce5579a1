// SPDX-License-Identifier: GPL-2.0-only
// Tasks that wait for something, first come, first served, and how a stop request takes one out.
#pragma once

#include <morpheus/detail/biased_lock.hpp>
#include <morpheus/detail/promise.hpp>
#include <morpheus/error.hpp>

#include <coroutine>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace morpheus::detail {

struct wait_link {
  wait_link* next = nullptr;  // null: not queued
  wait_link* previous = nullptr;
};

class wait_queue;
class select_state;

/// A task that waits in a queue, in its own frame; or one of the waits among which a task selects.
/// The lane of a task stands where the link of a queued job stands: the task is queued nowhere
/// meanwhile, and a frame is eight bytes smaller.
struct waiter : wait_link {
  explicit waiter(wait_queue& waits_in) noexcept : queue(&waits_in) {}

  wait_queue* queue;
  job* task = nullptr;  ///< null: it has not waited; or a select_state with kSelects

  void is_suspended(job* self) noexcept {
    task = self;
    task->next = reinterpret_cast<job*>(here->where());
  }
  void selects(select_state& among) noexcept {
    task = reinterpret_cast<job*>(reinterpret_cast<std::uintptr_t>(&among) | kSelects);
  }
  /// Whether it is one of several waits. Then, under the queue's lock, select_state::claim() says
  /// whether what it waits for may be given to it.
  [[nodiscard]] bool is_selecting() const noexcept {
    return (reinterpret_cast<std::uintptr_t>(task) & kSelects) != 0;
  }
  [[nodiscard]] select_state& selecting() const noexcept {
    return *reinterpret_cast<select_state*>(reinterpret_cast<std::uintptr_t>(task) & ~kSelects);
  }
  /// Without the queue's lock, once.
  [[gnu::always_inline]] void resume() noexcept {
    if (!MORPHEUS_LIKELY(!is_selecting())) return resume_selecting();
    schedule(task, reinterpret_cast<lane*>(task->next));
  }
  /// Takes it out of the queue and resumes the task, if it is still there. Any thread.
  MORPHEUS_API MORPHEUS_COLD void stop() noexcept;
  /// The task goes on, if it was suspended. Throws `cancelled` if stop() came first.
  MORPHEUS_API void end_wait_slowly();
  [[nodiscard]] published_wait published() noexcept {
    return reinterpret_cast<published_wait>(this) | kWaitsInQueue;
  }

 private:
  static constexpr std::uintptr_t kSelects = 1;
  MORPHEUS_API MORPHEUS_COLD void resume_selecting() noexcept;
};

/// Waiters that were taken from a queue under its lock, to be resumed without it: a task that is
/// resumed may end what the queue belongs to. Linked by `previous`, the last one to itself: by
/// `next`, a late stop request, which may come until they are resumed, sees that they are queued no
/// more.
class released_waiters {
 public:
  void add(waiter& taken) noexcept {
    taken.previous = &taken;
    (last_ != nullptr ? last_->previous : first_) = &taken;
    last_ = &taken;
  }
  void resume() noexcept {
    while (first_ != nullptr) {
      auto& resumed = static_cast<waiter&>(*first_);
      first_ = resumed.previous != &resumed ? resumed.previous : nullptr;
      resumed.resume();
    }
  }

 private:
  wait_link* first_ = nullptr;
  waiter* last_ = nullptr;
};

/// Under `lock`, all of it.
class wait_queue {
 public:
  wait_queue() noexcept { ends_.next = ends_.previous = &ends_; }
  wait_queue(const wait_queue&) = delete;
  wait_queue& operator=(const wait_queue&) = delete;
  ~wait_queue() = default;

  [[nodiscard]] bool empty() const noexcept { return ends_.next == &ends_; }
  // The links of a lone waiter are known, so that the next step need not wait until they are read.
  void push(waiter& last) noexcept {
    last.next = &ends_;
    if (MORPHEUS_LIKELY(empty())) {
      last.previous = &ends_;
      ends_.next = ends_.previous = &last;
    } else {
      last.previous = ends_.previous;
      last.previous->next = ends_.previous = &last;
    }
  }
  /// The one that has waited longest, claimed; null if there is none. Those that have selected
  /// something else meanwhile are dropped.
  [[nodiscard]] waiter* pop() noexcept {
    if (empty()) return nullptr;
    auto* const first = static_cast<waiter*>(ends_.next);
    if (MORPHEUS_LIKELY(first->next == &ends_)) {
      ends_.next = ends_.previous = &ends_;
      first->next = nullptr;
    } else {
      remove(*first);
    }
    return MORPHEUS_LIKELY(!first->is_selecting()) ? first : claim_from(first);
  }
  [[nodiscard]] released_waiters pop_all() noexcept {
    released_waiters all;
    while (waiter* const next = pop()) all.add(*next);
    return all;
  }
  static void remove(waiter& queued) noexcept {
    queued.next->previous = queued.previous;
    queued.previous->next = queued.next;
    queued.next = nullptr;
  }

  biased_lock lock;

 private:
  /// `first`, which was taken out, or else the first one after it that can be claimed.
  [[nodiscard]] MORPHEUS_API MORPHEUS_COLD waiter* claim_from(waiter* first) noexcept;

  wait_link ends_;
};

/// The base of an awaiter that waits in a queue, where a stop of its context ends the wait. `A` has
///   take_locked(woken)  under the queue's lock: whether it need not wait. If so, it may set
///                       `woken` to another waiter, taken from the queue, to be resumed; if not,
///                       it does not throw
///   result()            what the await gives, once it has what it waited for
template <class A>
class waits : public waiter {
 public:
  using waiter::waiter;

  /// Keeps the lock, if it has to wait, for await_suspend(), which always follows.
  [[nodiscard]] bool await_ready() {
    waiter* woken = nullptr;
    std::unique_lock lock(queue->lock);
    if (!self().take_locked(woken)) {
      (void)lock.release();
      return false;
    }
    lock.unlock();
    if (woken != nullptr) woken->resume();
    return true;
  }
  template <task_coroutine P>
  [[nodiscard, gnu::always_inline]] std::coroutine_handle<> await_suspend(
      std::coroutine_handle<P> waiting) {
    job* const me = job_of(waiting);
    // A stop that comes before it is in the queue has to wait for the queue's lock.
    if (!MORPHEUS_LIKELY(task_stop::put_at_once(me, published()))) return suspend_slowly(me);
    return suspend(me);
  }
  [[nodiscard, gnu::always_inline]] decltype(auto) await_resume() {
    end_wait();
    return self().result();
  }

 protected:
  /// Under the queue's lock, which it gives up; published.
  [[nodiscard, gnu::always_inline]] std::coroutine_handle<> suspend(job* me) noexcept {
    wait_queue& waits_in = *queue;
    is_suspended(me);
    waits_in.push(*this);
    waits_in.lock.unlock();
    // From here on another thread may have resumed the task: this object may be gone.
    return here->next();
  }
  /// Under the queue's lock, which it gives up, after task_stop::enter().
  [[nodiscard]] std::coroutine_handle<> suspend_unless_stopped(job* me) noexcept {
    if (MORPHEUS_LIKELY(task_stop::publish_entered(me, published()))) return suspend(me);
    is_suspended(me);
    previous = nullptr;
    queue->lock.unlock();
    return here->transfer(me);
  }
  [[gnu::always_inline]] void end_wait() {
    if (task != nullptr && !MORPHEUS_LIKELY(task_stop::put_at_once(task, 0))) end_wait_slowly();
  }
  [[nodiscard]] A& self() noexcept { return static_cast<A&>(*this); }

 private:
  // It may be the task's first wait, which enters its context: that takes other locks.
  [[gnu::noinline]] std::coroutine_handle<> suspend_slowly(job* me) {
    if (MORPHEUS_LIKELY(task_stop::publish(me, published()))) return suspend(me);
    queue->lock.unlock();
    task_stop::enter(me);
    waiter* woken = nullptr;
    std::unique_lock lock(queue->lock);
    if (!self().take_locked(woken)) {
      (void)lock.release();
      return suspend_unless_stopped(me);
    }
    lock.unlock();
    if (woken != nullptr) woken->resume();
    return here->transfer(me);
  }
};

/// Such an awaiter that heeds a stop_token besides.
template <class A>
class [[nodiscard]] stoppable : public A {
 public:
  template <class... Args>
  explicit stoppable(std::stop_token stop, Args&&... args)
      : A(std::forward<Args>(args)...), stop_(std::move(stop)) {}

  [[nodiscard]] bool await_ready() {
    is_refused_ = stop_.stop_requested();
    return is_refused_;
  }
  template <task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> waiting) {
    job* const me = job_of(waiting);
    task_stop::enter(me);
    on_stop_.emplace(stop_, stopper{this});  // may stop it at once
    waiter* woken = nullptr;
    std::unique_lock lock(this->queue->lock);
    is_refused_ = is_stopped_;
    if (!is_refused_ && !this->take_locked(woken)) {
      (void)lock.release();
      return this->suspend_unless_stopped(me);
    }
    lock.unlock();
    if (woken != nullptr) woken->resume();
    return here->transfer(me);
  }
  [[nodiscard]] decltype(auto) await_resume() {
    on_stop_.reset();  // waits for a stop request that runs elsewhere
    this->end_wait_slowly();
    if (is_refused_) throw cancelled();
    return A::result();
  }

 private:
  struct stopper {
    stoppable* self;
    void operator()() const noexcept { self->request_stop(); }
  };
  void request_stop() noexcept {
    {
      // Before it waits, it is kept from doing so.
      const std::scoped_lock lock(this->queue->lock);
      is_stopped_ = true;
    }
    this->stop();
  }

  std::stop_token stop_;
  bool is_stopped_ = false;  // under the queue's lock
  bool is_refused_ = false;  // it was stopped before it could wait
  std::optional<std::stop_callback<stopper>> on_stop_;
};

}  // namespace morpheus::detail
