// SPDX-License-Identifier: GPL-2.0-only
// The machine that a kernel test runs on: what the test needs of it, a daemon that has loaded its
// BPF programs there, and what the daemon and the kernel say.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tests/programs/daemon_process.hpp"

namespace morpheus::test {

/// Skips the test, by name and with the reason, where BPF programs cannot be loaded.
void need_bpf();
/// The same where the kernel has no sched_ext.
void need_sched_ext();
/// The same where, besides, control groups of version 2 cannot be made.
void need_control_groups();

/// The CPU that the tests crowd: the last one online.
[[nodiscard]] unsigned crowded_cpu();

/// Measures until the outcome is good, three times at most: a crowded host may stop an emulated
/// machine for a while. What is wrong is wrong each time.
template <class Measure, class Condition>
auto measure_until(Measure measure, Condition is_good) {
  auto got = measure();
  for (int again = 0; again < 2 && !is_good(got); ++again) got = measure();
  return got;
}

/// Checks that the timer of that CPU interrupts it less than `below` times in two seconds, by
/// /proc/interrupts: by ticks and all timers that were set in between.
void check_interrupts(std::uint64_t below);

/// A real-time thread on `cpu` that pauses for `pause` every 100 us. Without a pause it never
/// leaves the CPU, and threads of other classes starve there. Ends with the object.
class RealTimeThread {
 public:
  explicit RealTimeThread(unsigned cpu, std::chrono::milliseconds pause = {});
  ~RealTimeThread();
  RealTimeThread(const RealTimeThread&) = delete;
  RealTimeThread& operator=(const RealTimeThread&) = delete;

 private:
  pid_t pid_;
};

/// /sys/kernel/sched_ext/state and root/ops: which scheduler the kernel says runs.
[[nodiscard]] std::string sched_ext_state();
[[nodiscard]] std::string sched_ext_ops();

/// Control calls that must succeed.
Json control(const DaemonProcess& daemon, const std::string& method,
             const Json& in = Json::object());
void set_mode(const DaemonProcess& daemon, const std::string& mode);
void set_tunables_ms(const DaemonProcess& daemon, double slice, double grace, double hold_cap);
/// The daemon's record of the worker with this tid; null if there is none.
Json worker(const DaemonProcess& daemon, pid_t tid);

/// The part of a configuration that lets the daemon throttle one control group.
[[nodiscard]] Json throttling(const std::string& group, unsigned percent, unsigned penalty_ms);

/// The daemon that tests share, since loading the BPF programs takes long where the kernel is
/// emulated: in Observer mode, with the default tunables and without a client. Skips the test where
/// BPF programs cannot be loaded. A test that fails leaves none to the next one.
[[nodiscard]] const DaemonProcess& observing_daemon();
/// The same in Enforced mode. Skips the test where the kernel has no sched_ext.
[[nodiscard]] const DaemonProcess& enforcing_daemon();

void end_shared_daemon();

/// A test's own daemon, which it may configure and end; ends the shared one. In Observer mode.
class OwnDaemon : public DaemonProcess {
 public:
  explicit OwnDaemon(const Json& config = Json::object());
};

}  // namespace morpheus::test
