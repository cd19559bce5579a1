// SPDX-License-Identifier: GPL-2.0-only
// The function that is called before each job that a runtime runs, if there is one.
#pragma once

#include <morpheus/diagnosis.hpp>

#include <functional>
#include <mutex>
#include <utility>

namespace morpheus::sdk {

/// Any thread.
class TraceHook {
 public:
  /// Calls `then(whether there is a hook)` before another set() may come.
  template <class F>
  void set(std::function<void(const trace_event&)> hook, F then) {
    const std::scoped_lock lock(lock_);
    hook_ = std::move(hook);
    then(hook_ != nullptr);
  }
  void call(const trace_event& event) {
    const std::scoped_lock lock(lock_);
    if (hook_) hook_(event);
  }

 private:
  std::mutex lock_;
  std::function<void(const trace_event&)> hook_;
};

}  // namespace morpheus::sdk
