// SPDX-License-Identifier: GPL-2.0-only
// What spawn() returns: a handle to await the spawned task's result, once or not at all.
#pragma once

#include <morpheus/detail/root_context.hpp>
#include <morpheus/error.hpp>
#include <morpheus/task.hpp>

#include <atomic>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <utility>

namespace morpheus {

template <class T>
class join_handle;
template <class T>
class task_set;

namespace detail {

/// Ends the program if `error` is an exception other than `cancelled`: no code will see it.
MORPHEUS_API MORPHEUS_COLD void report_unheard(const std::exception_ptr& error) noexcept;

/// Something that comes from the memory of frames but is no frame: its second word says so.
class no_frame {
  [[maybe_unused]] void* unused_ = nullptr;
  [[maybe_unused]] void* in_use_ = nullptr;
};

/// Where tasks can be started: a runtime, a scheduling_group.
template <class P>
concept place = requires(P& where) {
  { where.home() } -> std::same_as<lane&>;
};

/// Is told of a task's end instead of a task that waits. May end the task's state.
struct end_listener {
  void (*ended)(end_listener& self) noexcept;
};

/// A spawned task and the task that waits for it. Lives as long as the task or the handle.
template <class T>
class join_state final : no_frame, root_context {
 public:
  static void* operator new(std::size_t size) { return here->frames.allocate(size); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    here->frames.release(memory, size);
  }

  join_state(task<T> started, lane& where) noexcept
      : root_context(&join_state::on_end), task_(std::move(started)), lane_(&where) {}

  /// Before it starts: instead of a task that waits.
  void tell(end_listener& listener) noexcept {
    waiter_.store(reinterpret_cast<std::uintptr_t>(&listener) | kTells, std::memory_order_relaxed);
  }
  using stop_context::stop;
  [[nodiscard]] stop_context& context() noexcept { return *this; }

  [[nodiscard]] job* start() noexcept {
    lane_->began();
    task_.frame().promise().complete_alone_at_end(*this);
    return job_of(task_.frame());
  }
  [[nodiscard]] bool has_ended() const noexcept {
    return waiter_.load(std::memory_order_acquire) == kEnded;
  }
  enum class waiting : std::uint8_t { yes, no_more, refused };
  /// no_more: the task has ended in the meantime; refused: see end_wait().
  [[nodiscard]] waiting wait(job* waiter) noexcept {
    resume_in_ = here->where();
    std::uintptr_t expected = kRunning;
    if (waiter_.compare_exchange_strong(expected, reinterpret_cast<std::uintptr_t>(waiter),
                                        std::memory_order_acq_rel))
      return waiting::yes;
    return expected == kRefused &&
                   waiter_.compare_exchange_strong(expected, kRunning, std::memory_order_acq_rel)
               ? waiting::refused
               : waiting::no_more;
  }
  /// Sets `is_ended` and resumes the task that waits, or refuses the next wait(). Any thread.
  void end_wait(bool& is_ended) noexcept {
    std::uintptr_t seen = waiter_.load(std::memory_order_acquire);
    do {
      if (seen == kEnded || seen == kDetached) return;
    } while (!waiter_.compare_exchange_weak(seen, seen == kRunning ? kRefused : kRunning,
                                            std::memory_order_acq_rel));
    if (seen == kRunning) return;
    is_ended = true;
    schedule(reinterpret_cast<job*>(seen), resume_in_);
  }
  /// After a stop that may have come before wait().
  void forget_refusal() noexcept {
    std::uintptr_t refused = kRefused;
    waiter_.compare_exchange_strong(refused, kRunning, std::memory_order_acq_rel);
  }
  /// Once: the exception is heard.
  [[nodiscard]] T take() {
    is_heard_ = true;
    return task_.frame().promise().take();
  }

  /// The handle goes.
  void detach() noexcept {
    if (waiter_.exchange(kDetached, std::memory_order_acq_rel) != kEnded) return;
    if (!is_heard_) report_unheard(task_.frame().promise().error());
    delete this;
  }

 private:
  static constexpr std::uintptr_t kRunning = 0, kEnded = 1, kDetached = 2, kRefused = 3;
  static constexpr std::uintptr_t kTells = 4;  // and a listener; or a job

  static job* on_end(completion& self, job*) noexcept {
    return static_cast<join_state&>(self).end();
  }
  job* end() noexcept {
    lane& where = *lane_;
    job* next = nullptr;
    leave_runtime();
    const std::uintptr_t waiter = waiter_.exchange(kEnded, std::memory_order_acq_rel);
    if (waiter == kDetached) {
      report_unheard(task_.frame().promise().error());
      delete this;
    } else if ((waiter & kTells) != 0) {
      auto& listener = *reinterpret_cast<end_listener*>(waiter - kTells);
      listener.ended(listener);
    } else if (waiter != kRunning && waiter != kRefused) {
      next = resume_or_schedule(reinterpret_cast<job*>(waiter), resume_in_);
    }
    where.ended();
    return next;
  }

  task<T> task_;
  std::atomic<std::uintptr_t> waiter_{kRunning};
  lane* lane_;
  lane* resume_in_ = nullptr;
  bool is_heard_ = false;  // the handle's
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
/// A stop of the awaiting task ends the wait, not the spawned task. If the handle is dropped, the
/// task goes on, and its runtime waits for it in the end. An exception other than `cancelled` that
/// no co_await has taken by the time both the task and the handle have gone ends the program, as
/// one that leaves a thread does. Movable; for one thread at a time.
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
  /// Asks the task to end: its waits, and those of all that it awaits, throw `cancelled`. If it
  /// then ends with that, so does the await of the handle. Does not wait.
  void request_stop() noexcept { state_->stop(); }
  /// Lets go of the task.
  void detach() noexcept {
    if (auto* const state = std::exchange(state_, nullptr)) state->detach();
  }

  class [[nodiscard]] awaiter : detail::stop_target {
   public:
    explicit awaiter(detail::join_state<T>& state) noexcept
        : stop_target(&awaiter::on_stop), state_(state) {}
    [[nodiscard]] bool await_ready() const noexcept { return state_.has_ended(); }
    template <detail::task_coroutine P>
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> waiting) {
      using waits = typename detail::join_state<T>::waiting;
      task_ = detail::job_of(waiting);
      is_stopped_ = !detail::task_stop::begin_wait(task_, published());
      if (!is_stopped_) {
        const waits result = state_.wait(detail::job_of(waiting));
        if (result == waits::yes) return detail::here->next();
        is_stopped_ = result == waits::refused;
      }
      return detail::here->transfer(detail::job_of(waiting));
    }
    T await_resume() {
      if (task_ != nullptr) detail::task_stop::withdraw(task_);
      if (is_stopped_) {
        state_.forget_refusal();
        throw cancelled();
      }
      return state_.take();
    }

   private:
    static void on_stop(stop_target& self) noexcept {
      auto& waiting = static_cast<awaiter&>(self);
      waiting.state_.end_wait(waiting.is_stopped_);
    }
    detail::join_state<T>& state_;
    detail::job* task_ = nullptr;
    bool is_stopped_ = false;
  };
  [[nodiscard]] awaiter operator co_await() const noexcept { return awaiter(*state_); }

 private:
  friend task_set<T>;
  detail::join_state<T>* state_;
};

}  // namespace morpheus
