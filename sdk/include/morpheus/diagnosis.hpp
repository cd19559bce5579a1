// SPDX-License-Identifier: GPL-2.0-only
// What a runtime reports about itself: counts, stalls, tasks, and a trace of what runs.
#pragma once

#include <morpheus/detail/export.h>
#include <morpheus/morpheus.h>
#include <morpheus/task.hpp>

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

namespace morpheus {

/// Counts of one thread of a runtime since it started.
struct thread_stats {
  unsigned thread;
  bool is_guided;              ///< registered as a worker; see morpheus_worker_register()
  morpheus_runtime_mode mode;  ///< see morpheus_get_mode()
  std::uint64_t steps;         ///< jobs begun or resumed, up to the last look at the clock
  std::uint64_t sleeps;        ///< times without any work
  std::uint64_t shared;        ///< times jobs were given to threads without work
  std::uint64_t handed_over;   ///< times everything was made available because of a hint
  std::uint64_t taken_over;    ///< times another thread took jobs because this one made no step
  std::uint64_t hints;         ///< from the kernel, acknowledged
  std::uint64_t yields;        ///< of these, the CPU given up
};

/// A task that has run for longer than runtime_options::stall_threshold without a step.
struct stall {
  unsigned thread;
  std::string task;            ///< its name, or the function that it is in
  std::source_location where;  ///< its last co_await before the stall; line 0 if there was none
  std::chrono::nanoseconds lasting;
  std::chrono::nanoseconds on_cpu;     ///< of that, running
  std::chrono::nanoseconds preempted;  ///< of that, runnable without a CPU
  std::chrono::nanoseconds blocked;    ///< of that, neither: it sleeps in the kernel
};

/// One line about a stall, as it is written to standard error by default.
[[nodiscard]] MORPHEUS_API std::string to_string(const stall& found);

/// A task that exists.
struct task_info {
  const void* id;              ///< the same while the task lives
  std::string name;            ///< see named(); empty if it has none
  std::string function;        ///< that it is in; empty if it has not begun
  std::source_location where;  ///< the co_await that it is suspended in; line 0: it has not begun
  bool has_ended;              ///< its result has not been taken
  const void* awaited_by;      ///< the task that waits for it, if one does
};

namespace detail {
MORPHEUS_API void each_task(void (*take)(void* to, const task_info& each), void* to);
}

/// All tasks of the process, in no order. A task that begins or ends meanwhile may be missing; so
/// may one that the compiler (clang, optimising) has merged into its caller's frame. A task that
/// runs shows its last co_await. Any thread.
[[nodiscard]] inline std::vector<task_info> tasks() {
  std::vector<task_info> all;
  detail::each_task(
      [](void* to, const task_info& each) {
        static_cast<std::vector<task_info>*>(to)->push_back(each);
      },
      &all);
  return all;
}

/// Writes them for people: one line for each task that no task awaits, and below it the tasks that
/// it waits for. Any thread.
MORPHEUS_API void dump_tasks(std::ostream& out);

/// From now on, `signal` makes a thread of the library write dump_tasks() to standard error. Throws
/// std::system_error.
MORPHEUS_API void dump_tasks_on(int signal);

namespace detail {
/// While it lives, the task that runs now has a name.
class task_name {
 public:
  MORPHEUS_API task_name(const void* task, std::string name);
  task_name(const task_name&) = delete;
  task_name& operator=(const task_name&) = delete;
  MORPHEUS_API ~task_name();

 private:
  const void* task_;
};

struct this_frame {
  const void* frame = nullptr;
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <task_coroutine P>
  [[nodiscard]] bool await_suspend(std::coroutine_handle<P> self) noexcept {
    frame = self.address();
    return false;
  }
  [[nodiscard]] const void* await_resume() const noexcept { return frame; }
};
}  // namespace detail

/// The same task with a name, for stalls and dumps: `scope.spawn(named("reader", read(socket)))`.
template <class T>
task<T> named(std::string name, task<T> inner) {
  const detail::task_name given(co_await detail::this_frame{}, std::move(name));
  co_return co_await std::move(inner);
}

/// A job that a thread is about to run; see runtime::trace().
struct trace_event {
  unsigned thread;
  std::uint64_t time_ns;  ///< CLOCK_MONOTONIC
  const void* task;       ///< task_info::id, if it is a task
};

}  // namespace morpheus
