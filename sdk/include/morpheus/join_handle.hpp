// SPDX-License-Identifier: GPL-2.0-only
// What spawn() returns: a handle to await the spawned task's result, once or not at all.
#pragma once

#include <morpheus/task.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <utility>

namespace morpheus {

template <class T>
class join_handle;

namespace detail {

/// Ends the program if `error` is an exception other than `cancelled`: no code will see it.
MORPHEUS_API void report_unheard(const std::exception_ptr& error) noexcept;

/// Something that comes from the memory of frames but is no frame: its second word says so.
class no_frame {
  [[maybe_unused]] void* in_use_ = nullptr;
};

/// A spawned task and the task that waits for it. Lives as long as the task or the handle.
template <class T>
class join_state final : completion, no_frame {
 public:
  static void* operator new(std::size_t size) { return here->frames.allocate(size); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    here->frames.release(memory, size);
  }

  join_state(task<T> started, lane& where) noexcept
      : completion(&join_state::on_end), task_(std::move(started)), lane_(&where) {}

  [[nodiscard]] job* start() noexcept {
    lane_->began();
    task_.frame().promise().complete_at_end(*this);
    return job_of(task_.frame());
  }
  [[nodiscard]] bool has_ended() const noexcept {
    return waiter_.load(std::memory_order_acquire) == kEnded;
  }
  /// False if the task has ended in the meantime.
  [[nodiscard]] bool wait(job* waiter) noexcept {
    resume_in_ = here->where();
    std::uintptr_t expected = kRunning;
    return waiter_.compare_exchange_strong(expected, reinterpret_cast<std::uintptr_t>(waiter),
                                           std::memory_order_acq_rel);
  }
  [[nodiscard]] T take() { return task_.frame().promise().take(); }

  /// The handle goes.
  void detach() noexcept {
    if (waiter_.exchange(kDetached, std::memory_order_acq_rel) == kEnded) delete this;
  }

 private:
  static constexpr std::uintptr_t kRunning = 0, kEnded = 1, kDetached = 2;  // else a job

  static job* on_end(completion& self, job*) noexcept {
    return static_cast<join_state&>(self).end();
  }
  job* end() noexcept {
    lane& where = *lane_;
    job* next = nullptr;
    const std::uintptr_t waiter = waiter_.exchange(kEnded, std::memory_order_acq_rel);
    if (waiter == kDetached) {
      report_unheard(task_.frame().promise().error());
      delete this;
    } else if (waiter != kRunning) {
      next = resume_or_schedule(reinterpret_cast<job*>(waiter), resume_in_);
    }
    where.ended();
    return next;
  }

  task<T> task_;
  std::atomic<std::uintptr_t> waiter_{kRunning};
  lane* lane_;
  lane* resume_in_ = nullptr;
};

/// Starts a task that ends by itself.
template <class T>
[[nodiscard]] join_handle<T> start_in(lane& where, task<T> started) {
  auto* const state = new join_state<T>(std::move(started), where);
  join_handle<T> handle(state);
  schedule(state->start(), &where);
  return handle;
}

}  // namespace detail

/// A spawned task. `co_await` it once, in a task: gives the task's result or throws its exception.
/// If the handle is dropped, the task goes on, and its runtime waits for it in the end. An
/// exception that then leaves the task, other than `cancelled`, ends the program, as one that
/// leaves a thread does. Movable; for one thread at a time.
template <class T>
class [[nodiscard]] join_handle {
 public:
  explicit join_handle(detail::join_state<T>* state) noexcept : state_(state) {}
  join_handle(join_handle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  join_handle& operator=(join_handle&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~join_handle() { detach(); }

  /// Whether the task has ended: awaiting it would not wait.
  [[nodiscard]] bool has_ended() const noexcept { return state_->has_ended(); }
  /// Lets go of the task.
  void detach() noexcept {
    if (auto* const state = std::exchange(state_, nullptr)) state->detach();
  }

  class [[nodiscard]] awaiter {
   public:
    explicit awaiter(detail::join_state<T>& state) noexcept : state_(state) {}
    [[nodiscard]] bool await_ready() const noexcept { return state_.has_ended(); }
    template <detail::task_coroutine P>
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> waiting) noexcept {
      if (!state_.wait(detail::job_of(waiting))) return waiting;
      return detail::here->next();
    }
    T await_resume() { return state_.take(); }

   private:
    detail::join_state<T>& state_;
  };
  [[nodiscard]] awaiter operator co_await() const noexcept { return awaiter(*state_); }

 private:
  detail::join_state<T>* state_;
};

}  // namespace morpheus
