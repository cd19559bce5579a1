// SPDX-License-Identifier: GPL-2.0-only
// A thread that looks at the workers of a pool now and then: takes jobs and timers from those that
// make no step, and reports stalls. Sleeps for good while all workers do.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "sdk/src/runtime/off_cpu.hpp"
#include "sdk/src/runtime/thread/runtime_thread.hpp"

namespace morpheus::sdk {

class Watch {
 public:
  explicit Watch(ThreadPool& pool);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  /// After end().
  ~Watch() = default;
  /// Ends the thread. notice_wake() may still be called.
  void end();

  /// A worker has woken up. On the worker; a futex(2) only if the watch sleeps for good.
  void notice_wake() {
    if (is_dormant_.load(std::memory_order_relaxed) != 0) end_sleep();
  }

 private:
  struct Times {  // nanoseconds
    std::uint64_t on_cpu = 0;
    std::uint64_t waiting = 0;
    bool is_runnable = false;  // runs or waits to run
  };
  struct Seen {
    RuntimeThread::Sight sight;
    std::uint64_t since_ns = 0;
    Times times;  // at that time
    OffCpu off_cpu;
    bool is_reported = false;
  };

  void run();
  void end_sleep();
  [[nodiscard]] bool look();
  void look_at(RuntimeThread& worker, Seen& seen, std::uint64_t now);
  void relieve(RuntimeThread& worker);
  void report(RuntimeThread& worker, Seen& seen, std::uint64_t now);
  [[nodiscard]] static Times times_of(int tid);
  [[nodiscard]] static bool is_runnable(int tid);

  ThreadPool& pool_;
  std::vector<Seen> seen_;
  std::atomic<std::uint32_t> is_dormant_{0};
  std::atomic<std::uint32_t> is_ending_{0};
  std::thread thread_;
};

}  // namespace morpheus::sdk
