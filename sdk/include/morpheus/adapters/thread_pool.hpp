// SPDX-License-Identifier: GPL-2.0-only
// The adapter for pools of plain threads: one object in each thread's function, one call between
// jobs.
#pragma once

#include <morpheus/adapters/language_adapter.hpp>
#include <morpheus/worker.hpp>

namespace morpheus {

/// Lives in the function of a pool's thread; the process must be attached (morpheus::attachment).
///
///     void pool::thread_function() {
///       morpheus::pool_thread_adapter guided;
///       while (auto job = take()) {
///         job();
///         guided.enter_safe_point();
///       }
///     }
///
/// If threads have queues of their own, they call enter_checkpoint() instead, give the queue away
/// if it returns true, and then call yield_worker(). Throws std::system_error as worker does.
class pool_thread_adapter {
 public:
  explicit pool_thread_adapter(const worker_options& options = {}) : self_(options) {}

  void enter_safe_point() noexcept { (void)here_.checkpoint(); }
  [[nodiscard]] bool enter_checkpoint() noexcept { return here_.acknowledge(); }
  [[nodiscard]] critical_section enter_critical() const noexcept { return critical_section(self_); }
  void yield_worker() const noexcept { morpheus_yield(); }
  [[nodiscard]] static constexpr bool default_escapable() noexcept { return true; }

 private:
  worker self_;
  safe_point here_;
};

static_assert(LanguageAdapter<pool_thread_adapter>);

}  // namespace morpheus
