// SPDX-License-Identifier: GPL-2.0-only
// Groups of tasks that share the workers by weight, and tasks that stay on one worker.
#pragma once

#include <morpheus/export.h>
#include <morpheus/join_handle.hpp>
#include <morpheus/task.hpp>

#include <chrono>
#include <string>
#include <utility>

namespace morpheus {

class runtime;

/// How a group is to be.
struct group_options {
  std::string name = {};   ///< for people
  unsigned shares = 1000;  ///< 1 to 100,000; tasks without a group have 1000 together
};

/// Where tasks run: in a group of a runtime (runtime::add_group()) or on one of its workers
/// (runtime::on_thread()). While tasks of several groups are ready on a worker, each group gets CPU
/// time there in proportion to its shares; nobody starves. A group that is alone gets all of it.
/// Who is next is decided between two steps of tasks, about every 10 us. Inside a group the order
/// is that of a runtime without groups.
///
///     auto background = runtime.add_group({.name = "background", .shares = 50});
///     auto report = background.spawn(summarise(logs));        // beside others
///     co_await background.spawn(compact(logs));               // in a task: waits for it there
///
/// What a task of a group starts (spawn(), scope, when_all()) and what it waits for stays in the
/// group. A handle: copies name the same group, which lives as long as its runtime. Any thread.
class scheduling_group {
 public:
  /// Starts a task in the group. See join_handle.
  template <class T>
  join_handle<T> spawn(task<T> started) const {
    return detail::start_in(*lane_, std::move(started));
  }

  [[nodiscard]] MORPHEUS_API const std::string& name() const noexcept;
  [[nodiscard]] MORPHEUS_API unsigned shares() const noexcept;
  /// How long workers have run the group's tasks, up to their last look at the clock. Counted once
  /// the runtime has had a group or a task on a worker of its own.
  [[nodiscard]] MORPHEUS_API std::chrono::nanoseconds run_time() const noexcept;

 private:
  friend runtime;
  explicit scheduling_group(detail::lane& tasks) noexcept : lane_(&tasks) {}
  detail::lane* lane_;
};

}  // namespace morpheus
