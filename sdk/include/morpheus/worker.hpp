// SPDX-License-Identifier: GPL-2.0-only
// A thread's registration as a worker, its safe points and its critical sections.
#pragma once

#include <morpheus/morpheus.h>

#include <cstdint>
#include <morpheus/error.hpp>

namespace morpheus {

/// What a worker allows the kernel to do. C++ code is escapable by default: outside critical
/// sections it may be preempted anywhere, as any thread may. Without a policy it is never
/// escalated.
struct worker_options {
  bool escapable = true;
  std::uint32_t priority = MORPHEUS_PRIORITY_DEFAULT;  ///< 0 to MORPHEUS_PRIORITY_MAX
  morpheus_escalation_policy policy = MORPHEUS_POLICY_NONE;
};

/// Registers the calling thread and starts it: state RUNNING. One per thread; stays on that thread;
/// not to be destroyed inside a critical section.
class worker {
 public:
  /// Throws std::system_error: not attached, registered already, bad priority.
  explicit worker(const worker_options& options = {}) {
    throw_on_error(morpheus_worker_register(&self_), "register a worker");
    try {
      throw_on_error(morpheus_set_priority(options.priority), "set a worker's priority");
      throw_on_error(morpheus_set_policy(options.policy), "set a worker's policy");
      throw_on_error(morpheus_set_escapable(options.escapable), "make a worker escapable");
      resume();
    } catch (...) {
      morpheus_worker_unregister();
      throw;
    }
  }
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;
  ~worker() { morpheus_worker_unregister(); }

  /// No hints until resume(): the thread is about to stop working.
  void quiesce() {
    throw_on_error(morpheus_worker_set_state(MORPHEUS_WORKER_QUIESCING), "quiesce a worker");
  }
  /// Hints may come again.
  void resume() {
    throw_on_error(morpheus_worker_set_state(MORPHEUS_WORKER_RUNNING), "start a worker");
  }

  /// For critical_section and the C ABI.
  [[nodiscard]] morpheus_thread* handle() const noexcept { return self_; }

  [[nodiscard]] morpheus_stats stats() const noexcept {
    morpheus_stats now{};
    morpheus_get_stats(&now);
    return now;
  }
  [[nodiscard]] morpheus_guidance guidance() const noexcept {
    morpheus_guidance now{};
    morpheus_get_guidance(&now);
    return now;
  }

 private:
  morpheus_thread* self_ = nullptr;
};

/// Where the calling thread gives up the CPU if there is a hint. Keep one in a local variable
/// around the loop: a checkpoint without a hint is then one load, one compare and one branch.
class safe_point {
 public:
  safe_point() noexcept : at_(morpheus_safepoint_get()) {}

  /// Acknowledges a hint and gives up the CPU. True if it did.
  bool checkpoint() noexcept { return morpheus_checkpoint(&at_); }
  /// Whether there is a hint, without acknowledging it.
  [[nodiscard]] bool asked() const noexcept { return morpheus_asked(&at_); }
  /// Acknowledges a hint; true if the caller should now give up the CPU by itself.
  [[nodiscard]] bool acknowledge() noexcept { return morpheus_acknowledge(&at_); }

 private:
  morpheus_safepoint at_;
};

/// safe_point::checkpoint() where there is no place to store a safe_point. Costs a little more.
inline bool checkpoint_here() noexcept { return morpheus_checkpoint_here(); }

/// While it lives, the kernel defers the end of the thread's slice and never escalates, up to the
/// operator's hold cap. Nests. Must end on the thread where it began: in a task, without a co_await
/// in between.
class [[nodiscard]] critical_section {
 public:
  /// `self` must be the calling thread's.
  explicit critical_section(const worker& self) noexcept : critical_section(self.handle()) {}
  /// On any thread, a runtime's included. Does nothing on a thread that is not registered.
  critical_section() noexcept : critical_section(morpheus_worker_self()) {}
  critical_section(const critical_section&) = delete;
  critical_section& operator=(const critical_section&) = delete;
  ~critical_section() {
    if (self_ != nullptr) morpheus_critical_exit(self_);
  }

 private:
  explicit critical_section(morpheus_thread* self) noexcept : self_(self) {
    if (self_ != nullptr) morpheus_critical_enter(self_);
  }

  morpheus_thread* self_;
};

}  // namespace morpheus
