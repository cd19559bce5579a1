// SPDX-License-Identifier: GPL-2.0-only
// The tasks of a runtime that no other task owns and that have waited: the runtime's stop reaches
// them through their contexts.
#pragma once

#include <morpheus/detail/root_context.hpp>

#include <mutex>
#include <utility>

namespace morpheus::sdk {

/// Any thread.
class RootTasks {
 public:
  /// Of the runtime whose thread calls.
  [[nodiscard]] static RootTasks& here();

  /// False: they have been stopped already.
  [[nodiscard]] bool add(detail::root_context& task) {
    const std::scoped_lock guard(lock_);
    task.listed_by_ = this;
    task.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &task;
    first_ = &task;
    return !is_stopped_;
  }
  void remove(detail::root_context& task) {
    const std::scoped_lock guard(lock_);
    (task.previous_ != nullptr ? task.previous_->next_ : first_) = task.next_;
    if (task.next_ != nullptr) task.next_->previous_ = task.previous_;
  }
  /// These, and those that come.
  void stop() {
    detail::stop_batch marked;
    {
      const std::scoped_lock guard(lock_);
      if (std::exchange(is_stopped_, true)) return;
      for (auto* task = first_; task != nullptr; task = task->next_) marked.add(*task);
    }
    marked.stop();  // one that is removed now waits until it is settled
  }

 private:
  detail::spin_lock lock_;
  bool is_stopped_ = false;
  detail::root_context* first_ = nullptr;
};

}  // namespace morpheus::sdk
