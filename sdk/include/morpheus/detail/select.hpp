// SPDX-License-Identifier: GPL-2.0-only
// A task that waits in several queues, or for a time, until the first can give it something. What
// gives it claims the task first, under its own lock: nothing is taken from the others.
#pragma once

#include <morpheus/detail/timer.hpp>
#include <morpheus/detail/wait_queue.hpp>

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <vector>

namespace morpheus::detail {

/// Who has served the task.
class select_state : public stop_target {
 public:
  select_state() noexcept : stop_target(&select_state::on_stop) {}

  /// For one of the waits, or the state itself for a stop: false if another came first.
  [[nodiscard]] bool claim(const void* by) noexcept {
    const void* none = nullptr;
    return winner_.compare_exchange_strong(none, by, std::memory_order_acq_rel);
  }
  /// After claim(): the task, to be resumed in where(); null if it has not begun to wait and will
  /// see that it need not.
  [[nodiscard]] job* served() noexcept {
    return phase_.exchange(phase::served, std::memory_order_acq_rel) == phase::waiting ? task_
                                                                                       : nullptr;
  }
  [[nodiscard]] lane* where() const noexcept { return where_; }
  /// Where the task orders what it does before served(), for ThreadSanitizer.
  [[nodiscard]] void* order() noexcept { return &phase_; }
  void resume() noexcept {
    lane* const where = where_;
    if (job* const task = served()) schedule(task, where);
  }

 protected:
  [[nodiscard]] const void* winner() const noexcept {
    return winner_.load(std::memory_order_acquire);
  }
  void prepare(job* task) noexcept {
    task_ = task;
    where_ = here->where();
  }
  /// False: it has been served already. Otherwise it may be gone.
  [[nodiscard]] bool wait() noexcept {
    MORPHEUS_NOTE_RELEASE(task_);
    return phase_.exchange(phase::waiting, std::memory_order_acq_rel) != phase::served;
  }
  [[nodiscard]] job* task() const noexcept { return task_; }

 private:
  enum class phase : std::uint8_t { starting, waiting, served };
  static void on_stop(stop_target& self) noexcept {
    auto& state = static_cast<select_state&>(self);
    if (state.claim(&state)) state.resume();
  }

  std::atomic<const void*> winner_{nullptr};
  std::atomic<phase> phase_{phase::starting};
  job* task_ = nullptr;
  lane* where_ = nullptr;
};

/// One of the waits: in a queue, or for a time.
struct select_arm {
  waiter* in_queue = nullptr;
  bool (*take)(waiter& self, waiter*& woken) = nullptr;  ///< see waits
  timer* until = nullptr;

  [[nodiscard]] bool has(const void* served) const noexcept {
    return served == (in_queue != nullptr ? static_cast<const void*>(in_queue) : until);
  }
};

/// Gives the number of the arm that was served.
class [[nodiscard]] select_awaiter : public select_state {
 public:
  /// Throws std::invalid_argument if two wait in the same queue.
  explicit select_awaiter(std::span<const select_arm> arms) : arms_(arms) {
    for (const select_arm& arm : arms_)
      if (arm.in_queue != nullptr) queues_.push_back(arm.in_queue->queue);
    std::ranges::sort(queues_);
    if (std::ranges::adjacent_find(queues_) != queues_.end())
      throw std::invalid_argument("when_any: two waits for the same object");
  }

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <task_coroutine P>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> waiting) {
    job* const me = job_of(waiting);
    task_stop::enter(me);
    prepare(me);
    waiter* woken = nullptr;
    bool waits = false;
    {
      const all_locks guard(queues_);
      // What is served before all wait is taken without a claim: no other thread can make one yet.
      waits = !take_one(woken) && task_stop::publish_entered(me, published());
      if (waits) link();
    }
    if (woken != nullptr) woken->resume();
    if (!waits) {
      (void)claim(this);  // unless one was taken
      return here->transfer(me);
    }
    start_timers();
    return wait() ? here->next() : here->transfer(me);
  }
  std::size_t await_resume() {
    unlink();
    task_stop::withdraw(task());
    const auto served =
        std::ranges::find_if(arms_, [this](const select_arm& arm) { return arm.has(winner()); });
    if (served == arms_.end()) throw cancelled();
    return static_cast<std::size_t>(served - arms_.begin());
  }

 private:
  /// All of the queues' locks, in the order of their addresses.
  class all_locks {
   public:
    explicit all_locks(std::span<wait_queue* const> queues) noexcept : queues_(queues) {
      for (wait_queue* const queue : queues_) queue->lock.lock();
    }
    all_locks(const all_locks&) = delete;
    all_locks& operator=(const all_locks&) = delete;
    ~all_locks() {
      for (wait_queue* const queue : queues_) queue->lock.unlock();
    }

   private:
    std::span<wait_queue* const> queues_;
  };

  [[nodiscard]] bool take_one(waiter*& woken) {
    for (const select_arm& arm : arms_)
      if (arm.in_queue != nullptr && arm.take(*arm.in_queue, woken)) return claim(arm.in_queue);
    return false;
  }
  void link() noexcept {
    for (const select_arm& arm : arms_) {
      if (arm.in_queue == nullptr) continue;
      arm.in_queue->selects(*this);
      arm.in_queue->queue->push(*arm.in_queue);
    }
  }
  void start_timers() {
    try {
      for (const select_arm& arm : arms_) {
        if (arm.until == nullptr) continue;
        arm.until->prepare();
        arm.until->start_selected(*this);
      }
    } catch (...) {
      if (!claim(this)) return;  // one has come first after all
      unlink();
      task_stop::withdraw(task());
      throw;
    }
  }
  void unlink() noexcept {
    for (const select_arm& arm : arms_) {
      if (arm.until != nullptr) (void)arm.until->cancel();
      if (arm.in_queue == nullptr) continue;
      const std::scoped_lock guard(arm.in_queue->queue->lock);
      if (arm.in_queue->next != nullptr) wait_queue::remove(*arm.in_queue);
    }
  }

  std::span<const select_arm> arms_;
  std::vector<wait_queue*> queues_;
};

}  // namespace morpheus::detail
