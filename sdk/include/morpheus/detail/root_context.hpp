// SPDX-License-Identifier: GPL-2.0-only
// The context of a task that no task owns: one that was spawned or that a runtime runs. Only the
// stop of its runtime reaches it.
#pragma once

#include <morpheus/detail/stop_context.hpp>

namespace morpheus::sdk {
class RootTasks;
}

namespace morpheus::detail {

/// Lone. Its runtime lists it when the task waits for the first time.
class root_context : public stop_context {
 protected:
  explicit root_context(handler on_end) noexcept : stop_context(on_end, stop_kind::root) {}
  ~root_context() { leave_runtime(); }
  /// The task has ended: its runtime may end before this object.
  void leave_runtime() noexcept {
    if (!MORPHEUS_LIKELY(listed_by_ == nullptr)) leave_list();
  }

 private:
  friend sdk::RootTasks;
  MORPHEUS_API MORPHEUS_COLD void leave_list() noexcept;

  sdk::RootTasks* listed_by_ = nullptr;
  root_context* next_ = nullptr;
  root_context* previous_ = nullptr;
};

}  // namespace morpheus::detail
