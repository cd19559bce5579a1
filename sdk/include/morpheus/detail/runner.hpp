// SPDX-License-Identifier: GPL-2.0-only
// What one thread runs: the hot path of the runtime. Jobs that are ready stand in a list that
// belongs to the thread alone, without atomic operations. A thread that needs something of the
// owner, such as work, sets a bit of `attention`; the owner serves it at its next step.
//
// If the owner makes no step, because its job is long or the kernel took its CPU, another thread
// can take its list over: a biased lock. While the owner uses the list it says so (running_ ==
// inside(), two plain stores a step). The other thread sets kRevoked and makes every CPU of the
// process pass a barrier (membarrier(2)). From then on an owner that is not inside will see the bit
// before it touches the list again.
#pragma once

#include <morpheus/detail/frame_memory.hpp>
#include <morpheus/detail/job.hpp>

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>

#ifdef _LIBCPP_VERSION
#error \
    "The C++ runtime of libmorpheus needs libstdc++ (-stdlib=libstdc++): its interface passes \
objects of the standard library. The C ABI and <morpheus/worker.hpp> work with libc++, too."
#endif

namespace morpheus::detail {

/// Where a job runs: in which runtime, in which group, and on which thread if not on any. A job
/// that waits keeps the lane that it ran in.
class lane {
 public:
  /// Queues `ready`. Any thread.
  MORPHEUS_API void post(job* ready) noexcept;

  /// The runtime waits at its end for every task that began and has not ended. Any thread.
  void began() noexcept { live_.fetch_add(1, std::memory_order_relaxed); }
  void ended() noexcept {
    if (live_.fetch_sub(1, std::memory_order_acq_rel) == 1) all_ended();
  }

 protected:
  explicit lane(std::atomic<std::size_t>& live) noexcept : live_(live) {}
  ~lane() = default;
  MORPHEUS_API void all_ended() noexcept;

 private:
  std::atomic<std::size_t>& live_;  // all lanes of a runtime count together
};

enum attention : std::uint32_t {
  kRevoked = 1,   ///< another thread takes the list over: wait until the bit is cleared
  kWanted = 2,    ///< another thread has nothing to do: share
  kTraced = 4,    ///< call the trace hook at every step
  kShuffled = 8,  ///< every step goes the slow way, which changes the order
};

/// Unstarted siblings of a fork, newest last. The oldest are given away first. For one thread at a
/// time; any thread may call empty().
class fork_stack {
 public:
  static constexpr std::uint32_t kMost = 512;

  [[nodiscard]] bool empty() const noexcept { return newest() == oldest(); }
  [[nodiscard]] bool has_room(std::size_t count) const noexcept {
    return newest() - oldest() + count <= kMost;
  }
  void push(job* fork) noexcept {
    const std::uint32_t at = newest();
    slots_[at % kMost] = fork;
    __atomic_store_n(&newest_, at + 1, __ATOMIC_RELAXED);
  }
  // Not if it is empty.
  [[nodiscard]] job* top() const noexcept { return slots_[(newest() - 1) % kMost]; }
  [[nodiscard]] job* pop() noexcept {
    const std::uint32_t at = newest() - 1;
    __atomic_store_n(&newest_, at, __ATOMIC_RELAXED);
    return slots_[at % kMost];
  }
  [[nodiscard]] job* pop_oldest() noexcept {
    const std::uint32_t at = oldest();
    __atomic_store_n(&oldest_, at + 1, __ATOMIC_RELAXED);
    return slots_[at % kMost];
  }

 private:
  [[nodiscard]] std::uint32_t newest() const noexcept {
    return __atomic_load_n(&newest_, __ATOMIC_RELAXED);
  }
  [[nodiscard]] std::uint32_t oldest() const noexcept {
    return __atomic_load_n(&oldest_, __ATOMIC_RELAXED);
  }

  std::uint32_t newest_ = 0;
  std::uint32_t oldest_ = 0;
  job* slots_[kMost] = {};
};

/// One for each thread. On a thread of no runtime it has frames only.
class alignas(64) runner {
 public:
  runner() = default;
  runner(const runner&) = delete;
  runner& operator=(const runner&) = delete;

  // --- For a job, about itself; each returns what to resume next

  /// Lets every other ready job run before `self` goes on.
  [[nodiscard]] std::coroutine_handle<> yield(job* self) noexcept {
    MORPHEUS_NOTE_RELEASE(self);
    enter();
    if (--ticks_ == 0 || is_disturbed() || !forks_.empty()) return transfer(yield_slowly(self));
    if (ready_.empty()) return transfer(leave(self));
    return transfer(leave(ready_.rotate(self)));
  }

  /// The running job has ended, or is queued elsewhere.
  [[nodiscard]] std::coroutine_handle<> next() noexcept {
    enter();
    if (--ticks_ == 0 || is_disturbed() || ready_.empty()) return transfer(next_slowly());
    return transfer(leave(ready_.pop()));
  }

  /// Goes on with `next` at once, which is queued nowhere; it may be the running job itself. What
  /// an await_suspend() returns must come from here, or the stack may grow.
  [[nodiscard]] std::coroutine_handle<> transfer(job* next) noexcept {
#if MORPHEUS_TAIL_CALLS != MORPHEUS_TAIL_CALLS_ALWAYS
    if (MORPHEUS_TAIL_CALLS == MORPHEUS_TAIL_CALLS_NEVER || is_stack_deep()) {
      if (next != nullptr) MORPHEUS_NOTE_RELEASE(next);
      handoff_ = next;
      return std::noop_coroutine();
    }
#endif
    return next == nullptr ? std::noop_coroutine() : handle_of(next);
  }

  /// As next(), after `self` was asked to give way: see checkpoint().
  [[nodiscard]] MORPHEUS_API MORPHEUS_COLD std::coroutine_handle<> give_way(job* self) noexcept;

  // --- For a job, about others

  /// Queues `ready` behind all others. The caller runs on this runner.
  void push(job* ready) noexcept {
    MORPHEUS_NOTE_RELEASE(ready);
    job* const self = enter();
    settle();
    ready_.push(ready);
    leave(self);
    offer();
  }

  /// Puts forks[1] to forks[count - 1] on the stack, from which the forking job takes them back
  /// unless another thread does, and goes on with forks[0]. False: nothing was done, because
  /// something else comes first; see fork_slowly().
  [[nodiscard]] bool fork(job* const* forks, std::size_t count) noexcept {
    enter();
    if (is_disturbed() || is_call_useful_->load(std::memory_order_relaxed) ||
        !forks_.has_room(count))
      return false;
    for (std::size_t i = count; --i > 0;) {
      MORPHEUS_NOTE_RELEASE(forks[i]);
      forks_.push(forks[i]);
    }
    leave(forks[0]);
    return true;
  }
  MORPHEUS_API MORPHEUS_COLD void fork_slowly(job* const* forks, std::size_t count) noexcept;

  /// Takes the newest fork, and goes on with it, if `is_wanted(fork)`. Otherwise null, maybe
  /// because something else comes first; see unfork_slowly().
  template <class F>
  [[nodiscard]] job* unfork(F is_wanted) noexcept {
    enter();
    if (is_disturbed() || forks_.empty()) return nullptr;
    if (!is_wanted(forks_.top())) {
      MORPHEUS_NOTE_RELEASE(forks_.top());
      return nullptr;
    }
    return leave(forks_.pop());
  }
  /// After unfork() has failed: serves the threads that ask. unfork() may then succeed.
  MORPHEUS_API MORPHEUS_COLD void unfork_slowly() noexcept;

  [[nodiscard]] lane* where() const noexcept { return lane_; }
  /// Whether it is the only one of its runtime, so that locks may favour it: see biased_lock.
  [[nodiscard]] bool is_alone() const noexcept { return is_alone_; }

 protected:
  /// What the owner's loop allows calls that ought to be tail calls, and the frames below them.
  static constexpr std::uintptr_t kMostStack = 16 << 10;

  static job* inside() noexcept { return reinterpret_cast<job*>(1); }
  /// Between two jobs, while it gives up the CPU: not inside.
  static job* away() noexcept { return reinterpret_cast<job*>(2); }

  /// Whether calls that ought to be tail calls have filled what the owner's loop allows.
  [[nodiscard]] bool is_stack_deep() const noexcept {
#if defined(__x86_64__)
    std::uintptr_t at = 0;
    __asm__("mov %%rsp, %0" : "=r"(at));
#elif defined(__aarch64__)
    std::uintptr_t at = 0;
    __asm__("mov %0, sp" : "=r"(at));
#else
    const auto at = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
#endif
    return !MORPHEUS_LIKELY(at >= stack_end_);
  }

  job* enter() noexcept {
    job* const self = running_.load(std::memory_order_relaxed);
    running_.store(inside(), std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return self;
  }
  job* leave(job* next) noexcept {
    running_.store(next, std::memory_order_release);
    return next;
  }
  [[nodiscard]] bool is_disturbed() const noexcept {
    return attention_.load(std::memory_order_acquire) != 0;
  }
  void settle() noexcept {
    if (!MORPHEUS_LIKELY(!is_disturbed())) serve();
  }
  void offer() noexcept {
    if (!MORPHEUS_LIKELY(!is_call_useful_->load(std::memory_order_relaxed))) call_idle_thread();
  }

  MORPHEUS_API MORPHEUS_COLD job* yield_slowly(job* self) noexcept;
  MORPHEUS_API MORPHEUS_COLD job* next_slowly() noexcept;
  MORPHEUS_API MORPHEUS_COLD void serve() noexcept;
  MORPHEUS_API MORPHEUS_COLD void call_idle_thread() noexcept;

  std::atomic<job*> running_{nullptr};  ///< what the owner runs, inside() or away()
  job_list ready_;
  std::int32_t ticks_ = 1;  ///< steps until the clock is looked at
  bool is_alone_ = false;
  lane* lane_ = nullptr;  ///< the running job's; null on a thread of no runtime
  const std::atomic<bool>* is_call_useful_ = nullptr;  ///< an idle thread could take something
  job* handoff_ = nullptr;
  std::uintptr_t stack_end_ = 0;                         ///< see is_stack_deep()
  alignas(64) std::atomic<std::uint32_t> attention_{0};  ///< written by others
  alignas(64) fork_stack forks_;

 public:
  frame_memory frames;
};

/// The calling thread's runner; on a thread of no runtime, one that runs nothing.
extern MORPHEUS_API __thread runner* here __attribute__((tls_model("initial-exec")));

/// Queues `ready` in `where`. Any thread.
inline void schedule(job* ready, lane* where) noexcept {
  runner& mine = *here;
  if (MORPHEUS_LIKELY(mine.where() == where))
    mine.push(ready);
  else
    where->post(ready);
}

/// For the end of a job: what to run next if it is `ready`, which is queued otherwise.
[[nodiscard]] inline job* resume_or_schedule(job* ready, lane* where) noexcept {
  if (here->where() == where) return ready;
  where->post(ready);
  return nullptr;
}

}  // namespace morpheus::detail
