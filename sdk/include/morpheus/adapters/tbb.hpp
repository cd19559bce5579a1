// SPDX-License-Identifier: GPL-2.0-only
// The adapter for oneTBB: its threads become workers, and bodies get safe points. Needs oneTBB.
#pragma once

#include <morpheus/adapters/adapter.h>

#include <tbb/task_arena.h>
#include <tbb/task_scheduler_observer.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

namespace morpheus {

namespace detail {

/// How often adapters have met the calling thread on its way in. The first of them registers it and
/// the last one unregisters it, unless the program had registered it itself.
class tbb_thread {
 public:
  [[nodiscard]] static tbb_thread& mine() noexcept {
    static thread_local tbb_thread thread;
    return thread;
  }
  void enter() noexcept {
    if (depth_++ != 0) return;
    is_ours_ = morpheus_worker_register(nullptr) == MORPHEUS_OK;
    if (!is_ours_) return;
    (void)morpheus_set_escapable(morpheus_default_escapable(MORPHEUS_LANGUAGE_NATIVE));
    (void)morpheus_worker_set_state(MORPHEUS_WORKER_RUNNING);
  }
  void leave() noexcept {
    if (--depth_ != 0 || !is_ours_) return;
    is_ours_ = false;
    (void)morpheus_worker_unregister();
  }

 private:
  unsigned depth_ = 0;
  bool is_ours_ = false;
};

}  // namespace detail

/// While it lives, every thread that works in the arena is a worker; without one, in the arena that
/// the calling thread is in, which for an ordinary thread is its own. Other arenas need adapters of
/// their own; several for one thread are as good as one. The process must be attached
/// (morpheus::attachment). A thread that cannot be registered works unguided, and one that the
/// program has registered itself stays so. oneTBB steals by itself, so a safe point only has to
/// give up the CPU.
///
///     morpheus::tbb_adapter guided;
///     tbb::parallel_for(0, n, morpheus::tbb_adapter::body([](int i) { work(i); }));
class tbb_adapter final : public tbb::task_scheduler_observer {
 public:
  tbb_adapter() { observe(true); }
  explicit tbb_adapter(tbb::task_arena& arena) : task_scheduler_observer(arena) { observe(true); }
  tbb_adapter(const tbb_adapter&) = delete;
  tbb_adapter& operator=(const tbb_adapter&) = delete;
  /// Waits until oneTBB's own threads have left the arena, as they do when it has no work, for five
  /// seconds at most: one that is still in it stays registered until it ends.
  ~tbb_adapter() override {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (inside_.load() > inside_here() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    observe(false);
    if (inside_here() != 0) detail::tbb_thread::mine().leave();  // it hears of no exit any more
  }

  void on_scheduler_entry(bool) override {
    ++inside_;
    if (std::this_thread::get_id() == maker_) ++makers_;
    detail::tbb_thread::mine().enter();
  }
  void on_scheduler_exit(bool) override {
    detail::tbb_thread::mine().leave();
    if (std::this_thread::get_id() == maker_) --makers_;
    --inside_;
  }

  /// `f` with a safe point after each call.
  template <class F>
  [[nodiscard]] static auto body(F f) {
    return [f = std::move(f)](auto&&... args) {
      f(std::forward<decltype(args)>(args)...);
      morpheus_enter_safe_point();
    };
  }

 private:
  /// How often the calling thread is in the arena, if it is the one that made the adapter.
  [[nodiscard]] int inside_here() const noexcept {
    return std::this_thread::get_id() == maker_ ? makers_ : 0;
  }

  const std::thread::id maker_ = std::this_thread::get_id();
  int makers_ = 0;  // for that thread
  std::atomic<int> inside_{0};
};

}  // namespace morpheus
