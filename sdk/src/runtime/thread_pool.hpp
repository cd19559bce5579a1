// SPDX-License-Identifier: GPL-2.0-only
// The threads of one runtime, and how they begin and end.
#pragma once

#include <morpheus/runtime.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "sdk/src/runtime/shared/pool_lanes.hpp"
#include "sdk/src/runtime/shared/pool_state.hpp"
#include "sdk/src/runtime/thread/runtime_thread.hpp"
#include "sdk/src/runtime/watch.hpp"

namespace morpheus::sdk {

/// Functions may be called on any thread unless they say otherwise.
class ThreadPool {
 public:
  /// Starts the threads. Throws std::system_error.
  ThreadPool(runtime& owner, const runtime_options& options);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  /// Waits until every task has ended, then ends the threads. On one of them it ends the program.
  ~ThreadPool();

  /// Relief threads not included.
  [[nodiscard]] std::size_t size() const { return state_.size; }
  /// Whether the calling thread is one of them.
  [[nodiscard]] bool is_inside() const;
  [[nodiscard]] PoolLanes& lanes() { return lanes_; }
  /// A thread that sleeps looks around, and waits in the driver then.
  void wake_one() { state_.idle.call_one(); }
  [[nodiscard]] Guests& guests() { return state_.guests; }
  [[nodiscard]] Lifetime& lifetime() { return state_.lifetime; }
  [[nodiscard]] std::vector<thread_stats> stats() const;
  void trace(std::function<void(const trace_event&)> hook);

 private:
  void join_all();

  PoolState state_;
  PoolLanes lanes_;
  AttachmentShare attached_;
  std::vector<std::unique_ptr<RuntimeThread>> threads_;  // the relief threads last
  ThreadRunner::Peers runners_;                          // the same
  std::optional<Watch> watch_;
};

}  // namespace morpheus::sdk
