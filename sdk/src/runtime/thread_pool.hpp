// SPDX-License-Identifier: GPL-2.0-only
// The threads of one runtime, and how they begin and end.
#pragma once

#include <morpheus/detail/driver.hpp>
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
  /// Waits until every task has ended, then ends the threads. Not on one of them.
  ~ThreadPool();

  /// Relief threads not included.
  [[nodiscard]] std::size_t size() const { return state_.size; }
  [[nodiscard]] PoolLanes& lanes() { return lanes_; }
  [[nodiscard]] std::stop_source& stop() { return state_.lifetime.stop(); }
  [[nodiscard]] std::vector<thread_stats> stats() const;
  void trace(std::function<void(const trace_event&)> hook);
  /// False: there is a driver already.
  [[nodiscard]] bool set_driver(detail::driver* driver);
  /// Returns when no thread is in the driver any more.
  void clear_driver() { state_.driver_seat.clear(); }

 private:
  void join_all();

  PoolState state_;
  PoolLanes lanes_;
  bool has_attached_ = false;
  std::vector<std::unique_ptr<RuntimeThread>> threads_;  // the relief threads last
  ThreadRunner::Peers runners_;                          // the same
  std::optional<Watch> watch_;
};

}  // namespace morpheus::sdk
