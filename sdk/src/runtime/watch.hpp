// SPDX-License-Identifier: GPL-2.0-only
// A thread that looks at the threads of a runtime now and then: takes jobs and timers over from
// those that make no step, and reports stalls. It sleeps for good while all of them sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "sdk/src/runtime/off_cpu.hpp"
#include "sdk/src/runtime/thread/runtime_thread.hpp"

namespace morpheus::sdk {

class Watch {
 public:
  using Threads = std::vector<std::unique_ptr<RuntimeThread>>;

  /// `threads` stay the same until end().
  Watch(PoolState& pool, const Threads& threads);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  /// After end().
  ~Watch() = default;
  /// Ends the watch's thread.
  void end();

 private:
  struct Times {  // nanoseconds
    std::uint64_t on_cpu = 0;
    std::uint64_t waiting = 0;
    bool is_runnable = false;  // runs or waits to run
  };
  struct Seen {
    ThreadRunner::Sight sight;
    std::uint64_t since_ns = 0;
    Times times;  // at that time
    OffCpu off_cpu;
    bool is_reported = false;
  };

  void run();
  [[nodiscard]] bool look();
  void look_at(RuntimeThread& thread, Seen& seen, std::uint64_t now);
  void relieve(RuntimeThread& thread);
  void call_relief();
  void report(const RuntimeThread& thread, Seen& seen, std::uint64_t now);
  [[nodiscard]] static Times times_of(int tid);
  [[nodiscard]] static bool is_runnable(int tid);

  PoolState& pool_;
  const Threads& threads_;
  std::vector<Seen> seen_;  // by thread
  std::atomic<std::uint32_t> is_ending_{0};
  std::thread thread_;
};

}  // namespace morpheus::sdk
