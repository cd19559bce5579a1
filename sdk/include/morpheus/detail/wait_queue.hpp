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

/// A task that waits, in its own frame. Its lane stands where the link of a queued job stands: the
/// task is queued nowhere meanwhile, and a frame is eight bytes smaller.
struct waiter : wait_link {
  job* task = nullptr;

  void is_suspended(job* self) noexcept {
    task = self;
    task->next = reinterpret_cast<job*>(here->where());
  }
  void resume() noexcept { schedule(task, reinterpret_cast<lane*>(task->next)); }
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
  /// The one that has waited longest; null if there is none.
  [[nodiscard]] waiter* pop() noexcept {
    if (empty()) return nullptr;
    auto* const first = static_cast<waiter*>(ends_.next);
    if (MORPHEUS_LIKELY(first->next == &ends_)) {
      ends_.next = ends_.previous = &ends_;
      first->next = nullptr;
    } else {
      remove(*first);
    }
    return first;
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
  wait_link ends_;
};

/// An awaiter that heeds a stop_token. `A` is one that is a waiter, and has
///   queue()             the queue that it would wait in
///   take_locked(woken)  under the queue's lock: whether it need not wait. If so, it may set
///                       `woken` to another waiter, taken from the queue, to be resumed; if not,
///                       it does not throw
template <class A>
class [[nodiscard]] stoppable : public A {
 public:
  template <class... Args>
  explicit stoppable(std::stop_token stop, Args&&... args)
      : A(std::forward<Args>(args)...), stop_(std::move(stop)) {}

  [[nodiscard]] bool await_ready() {
    is_stopped_ = stop_.stop_requested();
    return is_stopped_;
  }
  template <task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) {
    this->is_suspended(job_of(self));
    on_stop_.emplace(stop_, stopper{this});  // may stop it at once
    return begin() ? here->next() : std::coroutine_handle<>(self);
  }
  decltype(auto) await_resume() {
    on_stop_.reset();  // waits for a stop request that runs elsewhere
    if (is_stopped_) throw cancelled();
    return A::await_resume();
  }

 private:
  struct stopper {
    stoppable* self;
    void operator()() const noexcept { self->request_stop(); }
  };
  void request_stop() noexcept {
    {
      const std::scoped_lock lock(this->queue().lock);
      if (this->next == nullptr) {
        if (!is_decided()) is_stopped_ = true;
        return;
      }
      wait_queue::remove(*this);
      is_stopped_ = true;
    }
    this->resume();
  }
  // Whether it waits; false: it need not, or it was stopped before.
  [[nodiscard]] bool begin() {
    waiter* woken = nullptr;
    bool waits = false;
    {
      const std::scoped_lock lock(this->queue().lock);
      if (is_stopped_) return false;
      waits = !this->take_locked(woken);
      if (waits)
        this->queue().push(*this);
      else
        this->previous = this;
    }
    if (woken != nullptr) woken->resume();
    return waits;
  }
  // Whether it has been queued, or need not be: later stop requests come too late.
  [[nodiscard]] bool is_decided() const noexcept { return this->previous != nullptr; }

  std::stop_token stop_;
  bool is_stopped_ = false;
  std::optional<std::stop_callback<stopper>> on_stop_;
};

/// The base of such an awaiter, for waiting without a stop_token.
template <class A>
class waits : public waiter {
 public:
  /// Keeps the lock, if it has to wait, for await_suspend(), which always follows.
  [[nodiscard]] bool await_ready() {
    A& self = static_cast<A&>(*this);
    waiter* woken = nullptr;
    std::unique_lock lock(self.queue().lock);
    if (!self.take_locked(woken)) {
      (void)lock.release();
      return false;
    }
    lock.unlock();
    if (woken != nullptr) woken->resume();
    return true;
  }
  template <task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) noexcept {
    wait_queue& queue = static_cast<A&>(*this).queue();
    is_suspended(job_of(self));
    queue.push(*this);
    queue.lock.unlock();
    // From here on another thread may have resumed the task: this object may be gone.
    return here->next();
  }
};

}  // namespace morpheus::detail
