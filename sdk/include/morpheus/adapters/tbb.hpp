// SPDX-License-Identifier: GPL-2.0-only
// The adapter for oneTBB: its threads become workers, and bodies get safe points. Needs oneTBB.
#pragma once

#include <morpheus/adapters/adapter.h>

#include <tbb/task_arena.h>
#include <tbb/task_scheduler_observer.h>

#include <utility>

namespace morpheus {

/// While it lives, every thread that works in the arena (without one: in any) is a worker; the
/// process must be attached (morpheus::attachment). A thread that cannot be registered works
/// unguided. oneTBB steals by itself, so a safe point only has to give up the CPU.
///
///     morpheus::tbb_adapter guided;
///     tbb::parallel_for(0, n, morpheus::tbb_adapter::body([](int i) { work(i); }));
class tbb_adapter final : public tbb::task_scheduler_observer {
 public:
  tbb_adapter() { observe(true); }
  explicit tbb_adapter(tbb::task_arena& arena) : task_scheduler_observer(arena) { observe(true); }
  ~tbb_adapter() override { observe(false); }

  void on_scheduler_entry(bool) override {
    if (morpheus_worker_register(nullptr) != MORPHEUS_OK) return;
    (void)morpheus_set_escapable(morpheus_default_escapable(MORPHEUS_LANGUAGE_NATIVE));
    (void)morpheus_worker_set_state(MORPHEUS_WORKER_RUNNING);
  }
  void on_scheduler_exit(bool) override { (void)morpheus_worker_unregister(); }

  /// `f` with a safe point after each call.
  template <class F>
  [[nodiscard]] static auto body(F f) {
    return [f = std::move(f)](auto&&... args) {
      f(std::forward<decltype(args)>(args)...);
      morpheus_enter_safe_point();
    };
  }
};

}  // namespace morpheus
