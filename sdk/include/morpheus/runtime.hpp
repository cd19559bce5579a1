// SPDX-License-Identifier: GPL-2.0-only
// Worker threads that run tasks, and the ways to give them one.
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

/// How a runtime is to be.
struct runtime_options {
  unsigned threads = 0;        ///< threads; 0: one for each CPU that the process may use
  std::vector<int> cpus = {};  ///< not empty: worker i runs on CPU cpus[i % size] only
  bool guided = true;  ///< attach to morpheusd and register each worker; works without one, too
  worker_options worker = {};      ///< what each worker allows the kernel
  unsigned blocking_threads = 64;  ///< at most, for blocking()
  std::string name = "task";       ///< threads are called NAME/0, NAME/1, ... (15 characters)
  /// Further threads that run tasks only while the workers make no step: so many tasks that never
  /// give way cannot hold up all others. Tasks then run on more than `workers` threads.
  unsigned relief_threads = 0;
  /// For tests, not 0: tasks run in a random order, and move between workers for no reason. With
  /// one worker the order is the same for the same seed.
  std::uint64_t shuffle_seed = 0;
  std::chrono::nanoseconds stall_threshold{0};  ///< report tasks that take longer; 0: none
  /// Called on a thread of the library; default: to_string() to standard error.
  std::function<void(const stall&)> on_stall = {};
};

namespace detail {
/// What programs and the library must agree on. By default, what the one who asks was compiled
/// with.
struct layout {
  std::size_t of_runner = sizeof(runner);
  std::size_t of_promise = sizeof(promise_base);
  std::size_t of_timer = sizeof(timer);
  std::size_t of_options = sizeof(runtime_options);
  bool operator==(const layout&) const = default;
};
}  // namespace detail

/// Owns worker threads and everything that was spawned on them.
///
///     morpheus::runtime runtime({.threads = 4});
///     int n = runtime.run(answer());
///
/// Each worker runs its own tasks first-in, first-out and shares them with workers that have none.
/// With one worker and without hints the order of execution depends on the program only.
class runtime {
 public:
  /// Throws std::system_error if a thread cannot be started, and std::logic_error if the program
  /// was compiled with the headers of another library than it runs with. `built` is for the
  /// library.
  MORPHEUS_API explicit runtime(const runtime_options& options = {}, detail::layout built = {});
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;
  /// Requests a stop, waits until everything spawned has ended, then ends the threads. Not from a
  /// worker.
  MORPHEUS_API ~runtime();

  /// Runs `main` on a worker and waits for its result, or throws its exception. Any thread but a
  /// worker.
  template <class T>
  T run(task<T> main) {
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
  /// What is spawned there runs on that worker only, counted from 0, and is never taken over: it
  /// waits while the worker is held up. All such tasks of a worker have together the shares of a
  /// group. Throws std::out_of_range if there is no such worker. Any thread.
  [[nodiscard]] MORPHEUS_API scheduling_group on_thread(unsigned index);

  /// What long-running tasks should heed: see request_stop().
  [[nodiscard]] MORPHEUS_API std::stop_token stop_token() const noexcept;
  /// Asks everything that heeds stop_token() to end. Any thread.
  MORPHEUS_API void request_stop() noexcept;

  [[nodiscard]] MORPHEUS_API unsigned threads() const noexcept;
  /// One for each worker, relief workers last. Any thread.
  [[nodiscard]] MORPHEUS_API std::vector<thread_stats> stats() const;
  /// Calls `hook` on the worker whenever it is about to run a job; empty: no more. Costs nothing
  /// while there is none. The hook must not throw. Any thread.
  MORPHEUS_API void trace(std::function<void(const trace_event&)> hook);

  /// The runtime whose worker the calling thread is; null on other threads.
  [[nodiscard]] MORPHEUS_API static runtime* current() noexcept;

  /// For the library.
  [[nodiscard]] MORPHEUS_API detail::lane& home() noexcept;
  [[nodiscard]] sdk::ThreadPool& pool() noexcept { return *pool_; }

 private:
  std::unique_ptr<sdk::ThreadPool> pool_;
};

/// spawn() on the calling task's runtime; goes to the end of the calling worker's queue. Only in a
/// task.
template <class T>
join_handle<T> spawn(task<T> started) {
  return detail::start_in(*detail::here->where(), std::move(started));
}

}  // namespace morpheus
