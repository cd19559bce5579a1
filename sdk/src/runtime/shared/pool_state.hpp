// SPDX-License-Identifier: GPL-2.0-only
// What the threads of one runtime share. Each thread knows it; it knows of the threads only that
// they sleep and can be woken.
#pragma once

#include <morpheus/runtime.hpp>

#include <algorithm>
#include <cstddef>

#include "sdk/src/runtime/shared/blocking_threads.hpp"
#include "sdk/src/runtime/shared/cpu_share.hpp"
#include "sdk/src/runtime/shared/driver_seat.hpp"
#include "sdk/src/runtime/shared/guests.hpp"
#include "sdk/src/runtime/shared/idle_threads.hpp"
#include "sdk/src/runtime/shared/lifetime.hpp"
#include "sdk/src/runtime/shared/shared_jobs.hpp"
#include "sdk/src/runtime/shared/trace_hook.hpp"
#include "sdk/src/runtime/shared/watch_sleep.hpp"

namespace morpheus::sdk {

/// Any thread.
struct PoolState {
  PoolState(runtime& owner, const runtime_options& options, const CpuShare& cpus)
      : owner(owner),
        options(options),
        blocking(std::max(1U, options.blocking_threads)),
        size(options.threads != 0 ? options.threads : cpus.count()),
        may_spin(cpus.usable > 1 && size <= cpus.usable && !cpus.has_quota()),
        guests(owner, driver_seat) {}

  /// Relief threads included.
  [[nodiscard]] std::size_t threads() const { return size + options.relief_threads; }
  /// Makes jobs available to all threads, and wakes one that sleeps.
  void share(unsigned lane, const detail::job_list& jobs) {
    shared.put(lane, jobs);
    idle.call_one();
  }
  /// A thread's part of the jobs that no thread has: `take(lane, jobs)`.
  template <class F>
  void take_shared(F take) {
    shared.take(threads() == 1 ? Part::all : Part::half, take);
  }
  /// A thread has found work. What it did not take is for the next one.
  void end_search() {
    idle.end_search();
    if (!shared.empty()) idle.call_one();
  }

  runtime& owner;
  const runtime_options options;
  Lifetime lifetime;
  BlockingThreads blocking;
  const std::size_t size;  ///< threads; the relief threads come after them
  /// Threads that spin keep no other thread of the process from running, now or later.
  const bool may_spin;
  SharedJobs shared;
  IdleThreads idle;
  DriverSeat driver_seat;
  Guests guests;
  TraceHook trace;
  WatchSleep watch_sleep;
};

}  // namespace morpheus::sdk
