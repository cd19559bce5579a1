// SPDX-License-Identifier: GPL-2.0-only
// Threads that run tasks, and the ways to give them one.
#pragma once

#include <morpheus/detail/blocking_result.hpp>
#include <morpheus/detail/timer.hpp>
#include <morpheus/diagnosis.hpp>
#include <morpheus/join_handle.hpp>
#include <morpheus/scheduling_group.hpp>
#include <morpheus/task.hpp>
#include <morpheus/worker.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace morpheus {

namespace sdk {
class ThreadPool;
}

/// How to make a runtime.
struct runtime_options {
  /// 0: one for each CPU that the process may use, by its affinity and the CPU quota (cpu.max) of
  /// its control groups, rounded up.
  unsigned threads = 0;
  std::vector<int> cpus = {};  ///< not empty: thread i runs on CPU cpus[i % size] only
  bool guided = true;  ///< attach to morpheusd and register each thread; works without one, too
  worker_options worker = {};      ///< what each registered thread allows the kernel to do
  unsigned blocking_threads = 64;  ///< at most, for blocking()
  std::string name = "task";       ///< threads are called NAME/0, NAME/1, ... (15 characters)
  /// Further threads, which run tasks only while the others make no step: that many tasks that
  /// never give way cannot hold up all others. Tasks then run on more than `threads` threads.
  unsigned relief_threads = 0;
  /// For tests, if not 0: tasks run in a random order, and move between threads for no reason. With
  /// one thread, the same seed gives the same order.
  std::uint64_t shuffle_seed = 0;
  std::chrono::nanoseconds stall_threshold{0};  ///< report tasks that take longer; 0: none
  /// Called on a thread of the library; default: to_string() to standard error.
  std::function<void(const stall&)> on_stall = {};
};

namespace detail {
/// The options as they go into the library. A program whose standard library checks its containers
/// (-D_GLIBCXX_DEBUG) has other vectors than the library.
struct plain_options {
  explicit plain_options(const runtime_options& given)
      : threads(given.threads),
        cpus(given.cpus.data()),
        cpu_count(given.cpus.size()),
        guided(given.guided),
        worker(given.worker),
        blocking_threads(given.blocking_threads),
        name(given.name.c_str()),
        relief_threads(given.relief_threads),
        shuffle_seed(given.shuffle_seed),
        stall_threshold(given.stall_threshold),
        on_stall(&given.on_stall) {}

  unsigned threads;
  const int* cpus;
  std::size_t cpu_count;
  bool guided;
  worker_options worker;
  unsigned blocking_threads;
  const char* name;
  unsigned relief_threads;
  std::uint64_t shuffle_seed;
  std::chrono::nanoseconds stall_threshold;
  const std::function<void(const stall&)>* on_stall;
};

/// What programs and the library must agree on. The defaults are those of the code that is
/// compiled.
struct layout {
  std::size_t of_runner = sizeof(runner);
  std::size_t of_promise = sizeof(promise_base);
  std::size_t of_timer = sizeof(timer);
  std::size_t of_stop_context = sizeof(stop_context);
  std::size_t of_options = sizeof(plain_options);
  bool operator==(const layout&) const = default;
};
}  // namespace detail

/// Owns threads, and everything that was spawned on them.
///
///     morpheus::runtime runtime({.threads = 4});
///     int n = runtime.run(answer());
///
/// Each thread runs its own tasks first-in, first-out and shares them with threads that have none.
/// With one thread and without hints the order of execution depends on the program only.
class runtime {
 public:
  /// Throws std::system_error if a thread cannot be started, leaving nothing behind, and
  /// std::logic_error if the program was compiled with the headers of another library than the one
  /// that it runs with. Leave `built` alone: it is how the library finds out.
  explicit runtime(const runtime_options& options = {}, detail::layout built = {})
      : runtime(detail::plain_options(options), built) {}
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;
  /// Stops all tasks, waits until everything spawned has ended, then ends the threads. On one of
  /// them it ends the program, in words.
  MORPHEUS_API ~runtime();

  /// Runs `main` on one of the threads and waits for its result, or throws its exception. On any
  /// other thread; on one of them it would wait for itself, and throws std::system_error
  /// (resource_deadlock_would_occur).
  template <class T>
  T run(task<T> main) {
    refuse_own_thread();
    detail::blocking_result<T> result(std::move(main));
    home().post(result.start());
    return result.wait();
  }

  /// Starts a task beside others. Any thread. See join_handle.
  template <class T>
  join_handle<T> spawn(task<T> started) {
    return detail::start_in(home(), std::move(started));
  }

  /// A new group of tasks; see scheduling_group. At most 14; throws std::length_error beyond, and
  /// std::invalid_argument for shares that cannot be. Any thread.
  [[nodiscard]] MORPHEUS_API scheduling_group add_group(const group_options& options);
  /// What is spawned there runs only on that thread, counted from 0, and is never taken over: it
  /// waits while the thread is held up. All such tasks of a thread together have the shares of one
  /// group. Throws std::out_of_range if there is no such thread. Any thread.
  [[nodiscard]] MORPHEUS_API scheduling_group on_thread(unsigned index);

  /// For code that cannot be told by its waits: see request_stop().
  [[nodiscard]] MORPHEUS_API std::stop_token stop_token() const noexcept;
  /// Asks all tasks to end: their waits throw `cancelled`. Any thread.
  MORPHEUS_API void request_stop() noexcept;

  [[nodiscard]] MORPHEUS_API unsigned threads() const noexcept;
  /// One for each thread, relief threads last. Any thread.
  [[nodiscard]] std::vector<thread_stats> stats() const {
    std::vector<thread_stats> all;
    each_stats(
        [](void* to, const thread_stats& each) {
          static_cast<std::vector<thread_stats>*>(to)->push_back(each);
        },
        &all);
    return all;
  }
  /// Calls `hook` on each thread that is about to run a job; empty: no more. Costs nothing while
  /// there is no hook. The hook must not throw. Any thread.
  MORPHEUS_API void trace(std::function<void(const trace_event&)> hook);

  /// The runtime that the calling thread belongs to; null on other threads.
  [[nodiscard]] MORPHEUS_API static runtime* current() noexcept;

  /// For the library.
  [[nodiscard]] MORPHEUS_API detail::lane& home() noexcept;
  [[nodiscard]] sdk::ThreadPool& pool() noexcept { return *pool_; }

 private:
  MORPHEUS_API runtime(const detail::plain_options& options, detail::layout built);
  MORPHEUS_API void refuse_own_thread() const;
  MORPHEUS_API void each_stats(void (*take)(void* to, const thread_stats& each), void* to) const;

  std::unique_ptr<sdk::ThreadPool> pool_;
};

/// spawn() in the calling task's runtime and group, at the end of the calling thread's queue. Only
/// in a task.
template <class T>
join_handle<T> spawn(task<T> started) {
  return detail::start_in(*detail::here->where(), std::move(started));
}

}  // namespace morpheus
