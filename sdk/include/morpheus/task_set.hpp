// SPDX-License-Identifier: GPL-2.0-only
// Spawned tasks whose results are taken as they come.
#pragma once

#include <morpheus/detail/wait_queue.hpp>
#include <morpheus/join_handle.hpp>
#include <morpheus/task.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace morpheus {

/// Any number of spawned tasks: next() gives the handle of one that has ended, those that end first
/// first, and nothing once none is left. A task that fails leaves the others alone; its exception
/// comes from its handle.
///
///     morpheus::task_set<page> fetching;
///     for (auto& address : addresses) fetching.spawn(fetch(address));
///     for (auto ended = co_await fetching.next(); ended; ended = co_await fetching.next())
///       show(co_await *ended);
///
/// The tasks belong to the runtime, as those of spawn(): a stop of the owner ends the wait in
/// next(), and not the tasks. The end of the set asks them to stop, and lets go of them; they may
/// then outlive it. For tasks that use what their owner has, use with_scope(). An exception that no
/// code can hear any more ends the program; see join_handle.
///
/// spawn(), size() and request_stop() on any thread; next() in any task. Must outlive the waits.
template <class T>
class task_set {
 public:
  /// Throws std::bad_alloc.
  task_set() : state_(new state) {}
  task_set(const task_set&) = delete;
  task_set& operator=(const task_set&) = delete;
  ~task_set() { state_->abandon(); }

  /// Starts a task in the calling task's runtime and group. Only in a task.
  void spawn(task<T> started) { state_->start(*detail::here->where(), std::move(started)); }
  /// Starts a task in a runtime, a group, or on one thread (runtime::on_thread()).
  template <detail::place Place>
  void spawn(Place& where, task<T> started) {
    state_->start(where.home(), std::move(started));
  }

  /// Of the tasks that run, and those that have ended and that next() has not given.
  [[nodiscard]] std::size_t size() const noexcept { return state_->size(); }
  /// Asks all tasks that run to end: their waits throw `cancelled`, and so do their handles, once
  /// next() gives them. Those that are spawned later are not asked.
  void request_stop() noexcept { state_->request_stop(); }

 private:
  class state;
  struct member;

 public:
  class [[nodiscard]] next_awaiter : public detail::waits<next_awaiter> {
   public:
    static constexpr bool kMustUse = true;
    explicit next_awaiter(state& source) noexcept : detail::waits<next_awaiter>(source) {}
    [[nodiscard]] bool take_locked(detail::waiter*&) noexcept {
      ended_.reset(static_cast<state*>(this->queue)->take());
      return ended_ != nullptr || static_cast<state*>(this->queue)->is_empty();
    }
    [[nodiscard]] std::optional<join_handle<T>> result() noexcept {
      if (ended_ == nullptr) return std::nullopt;
      return std::move(ended_->task);
    }

   private:
    friend state;
    std::unique_ptr<member> ended_;
  };
  /// `std::optional<join_handle<T>> ended = co_await set.next()` waits for a task to end, unless
  /// there is none: then it gives nothing.
  [[nodiscard]] next_awaiter next() noexcept { return next_awaiter(*state_); }

 private:
  /// A task, until it has ended and its handle has been taken.
  struct member final : detail::end_listener {
    member(state& of, task<T> started, detail::lane& where)
        : end_listener{&member::on_end},
          set(&of),
          task(new detail::join_state<T>(std::move(started), where)) {
      task.state_->tell(*this);
    }
    static void on_end(end_listener& self) noexcept {
      auto& ended = static_cast<member&>(self);
      ended.set->ended(ended);
    }

    state* set;
    join_handle<T> task;
    member* next = nullptr;
    member* previous = nullptr;  // of those that run
  };

  /// Lives as long as the set or a task that runs.
  class state final : public detail::wait_queue {
   public:
    void start(detail::lane& where, morpheus::task<T> started) {
      auto* const begun = new member(*this, std::move(started), where);
      users_.fetch_add(1, std::memory_order_relaxed);
      {
        const std::scoped_lock guard(lock);
        ++running_count_;
      }
      {
        const std::scoped_lock guard(running_lock_);
        begun->next = running_;
        if (running_ != nullptr) running_->previous = begun;
        running_ = begun;
      }
      detail::schedule(begun->task.state_->start(), &where);
    }
    void ended(member& one) noexcept {
      if (leave_running(one))
        delete &one;
      else
        hand_over(one);
      release();
    }
    // Under the lock.
    [[nodiscard]] member* take() noexcept {
      member* const first = first_;
      if (first == nullptr) return nullptr;
      first_ = std::exchange(first->next, nullptr);
      if (first_ == nullptr) last_ = nullptr;
      --ended_count_;
      return first;
    }
    [[nodiscard]] bool is_empty() const noexcept { return running_count_ + ended_count_ == 0; }

    [[nodiscard]] std::size_t size() noexcept {
      const std::scoped_lock guard(lock);
      return running_count_ + ended_count_;
    }
    void request_stop() noexcept {
      detail::stop_batch all;
      const std::scoped_lock guard(running_lock_);  // until it is over they stay
      for (member* each = running_; each != nullptr; each = each->next)
        all.add(each->task.state_->context());
      all.stop();
    }
    void abandon() noexcept {
      request_stop();
      {
        const std::scoped_lock guard(running_lock_);
        is_abandoned_ = true;
      }
      drop_ended();
      release();
    }

   private:
    void release() noexcept {
      if (users_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
      drop_ended();
      delete this;
    }
    void drop_ended() noexcept {
      for (;;) {
        std::unique_lock guard(lock);
        const std::unique_ptr<member> dropped(take());
        guard.unlock();
        if (dropped == nullptr) return;
      }
    }
    /// Whether the set is gone.
    [[nodiscard]] bool leave_running(member& one) noexcept {
      const std::scoped_lock guard(running_lock_);
      (one.previous != nullptr ? one.previous->next : running_) = one.next;
      if (one.next != nullptr) one.next->previous = one.previous;
      one.next = nullptr;
      return is_abandoned_;
    }
    /// To a task that waits, or to those that have ended.
    void hand_over(member& one) noexcept {
      detail::released_waiters woken;
      {
        const std::scoped_lock guard(lock);
        --running_count_;
        if (detail::waiter* const waiting = this->pop()) {
          static_cast<next_awaiter*>(waiting)->ended_.reset(&one);
          woken.add(*waiting);
        } else {
          (last_ != nullptr ? last_->next : first_) = &one;
          last_ = &one;
          ++ended_count_;
        }
        if (is_empty())
          while (detail::waiter* const waiting = this->pop()) woken.add(*waiting);
      }
      woken.resume();
    }

    std::atomic<std::size_t> users_{1};  // the set, and the tasks that run
    // Under the lock of the queue:
    std::size_t running_count_ = 0;
    std::size_t ended_count_ = 0;
    member* first_ = nullptr;  // of those that have ended
    member* last_ = nullptr;
    // A lock of its own, since a stop takes the locks of the queues in which the tasks wait:
    std::mutex running_lock_;
    member* running_ = nullptr;
    bool is_abandoned_ = false;
  };

  state* state_;
};

}  // namespace morpheus
