// SPDX-License-Identifier: GPL-2.0-only
// What the kernel tests need of the machine, and how they ask the daemon and the kernel.
#pragma once

#include <chrono>
#include <string>

#include "tests/programs/daemon_process.hpp"
#include "tests/witness/witness.hpp"

namespace morpheus::test {

/// Skips the test, by name and with the reason, where BPF cannot be loaded.
void need_bpf();
/// The same where the kernel has no sched_ext.
void need_sched_ext();

/// The CPU that the tests crowd: the last one online.
[[nodiscard]] unsigned crowded_cpu();

/// Interrupts of that CPU's own timer since the start, by /proc/interrupts: ticks and all that was
/// set between.
[[nodiscard]] std::uint64_t timer_interrupts(unsigned cpu);

/// A real-time thread on `cpu` that pauses every 100 us for so long, or never leaves the CPU: then
/// what runs there in other classes starves. Ends with the object.
class RealTimeThread {
 public:
  explicit RealTimeThread(unsigned cpu, std::chrono::milliseconds pause = {});
  ~RealTimeThread();
  RealTimeThread(const RealTimeThread&) = delete;
  RealTimeThread& operator=(const RealTimeThread&) = delete;

 private:
  pid_t pid_;
};

/// /sys/kernel/sched_ext/state and root/ops: what the kernel says runs.
[[nodiscard]] std::string sched_ext_state();
[[nodiscard]] std::string sched_ext_ops();

/// Control calls that must succeed.
Json control(const DaemonProcess& daemon, const std::string& method,
             const Json& in = Json::object());
void set_mode(const DaemonProcess& daemon, const std::string& mode);
void set_tunables_ms(const DaemonProcess& daemon, double slice, double grace, double hold_cap);
/// The daemon's record of the worker with this tid; null if there is none.
Json worker(const DaemonProcess& daemon, pid_t tid);

}  // namespace morpheus::test
