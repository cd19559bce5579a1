// SPDX-License-Identifier: GPL-2.0-only
// Groups of tasks that share a runtime's threads by weight, and tasks that stay on one thread.
#pragma once

#include <morpheus/detail/export.h>
#include <morpheus/join_handle.hpp>
#include <morpheus/task.hpp>

#include <chrono>
#include <string>
#include <utility>

namespace morpheus {

class runtime;

/// How to make a group.
struct group_options {
  std::string name = {};   ///< for people
  unsigned shares = 1000;  ///< 1 to 100,000; tasks without a group have 1000 together
};

/// Where tasks run: in a group of a runtime (runtime::add_group()) or on one of its threads
/// (runtime::on_thread()). While tasks of several groups are ready on a thread, each group gets CPU
/// time there in proportion to its shares; none starves. A group that is alone gets all of it.
/// The next group is chosen between two steps of tasks, about every 10 us. Inside a group the order
/// is that of a runtime without groups.
///
///     auto background = runtime.add_group({.name = "background", .shares = 50});
///     auto report = background.spawn(summarise(logs));        // beside other tasks
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
  /// How long threads have run the group's tasks, up to their last look at the clock. Counted once
  /// the runtime has a group, or tasks that stay on one thread.
  [[nodiscard]] MORPHEUS_API std::chrono::nanoseconds run_time() const noexcept;

  /// For the library.
  [[nodiscard]] detail::lane& home() const noexcept { return *lane_; }

 private:
  friend runtime;
  explicit scheduling_group(detail::lane& tasks) noexcept : lane_(&tasks) {}
  detail::lane* lane_;
};

}  // namespace morpheus
