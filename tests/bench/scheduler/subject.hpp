// SPDX-License-Identifier: GPL-2.0-only
// Which scheduler the machine has, and the machine, whose scheduler can be changed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/measuring/daemon_under_test.hpp"
#include "tests/bench/scheduler/peers.hpp"

namespace morpheus::bench {

enum class Subject : std::uint8_t {
  kernel,    ///< the kernel's own scheduler alone
  fifo,      ///< the least that a sched_ext scheduler can be
  observer,  ///< the kernel's own, with Morpheus' hints
  enforced   ///< Morpheus' scheduler
};

inline constexpr std::array kSubjects{Subject::kernel, Subject::fifo, Subject::observer,
                                      Subject::enforced};

inline constexpr std::array<const char*, kSubjects.size()> kSubjectNames{"kernel", "fifo",
                                                                         "observer", "enforced"};
[[nodiscard]] constexpr const char* name(Subject subject) {
  return kSubjectNames[static_cast<std::size_t>(subject)];
}
[[nodiscard]] constexpr bool has_hints(Subject subject) {
  return subject == Subject::observer || subject == Subject::enforced;
}
[[nodiscard]] constexpr bool needs_sched_ext(Subject subject) {
  return subject == Subject::fifo || subject == Subject::enforced;
}

/// The control group that Morpheus may throttle here, its bound in percent of a CPU.
inline constexpr const char* kThrottledGroup = "morpheus-bench-throttled";
inline constexpr unsigned kPenaltyPercent = 20;

class Host {
 public:
  /// Throws CannotStart if morpheusd cannot run here.
  Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Lets `subject` schedule. A daemon runs in any case; it watches nothing and gives no hint
  /// unless workers attach to it.
  void use(Subject subject);
  /// The same, but without a daemon if the subject is not Morpheus.
  void use_alone(Subject subject);
  /// Whether the subject still schedules: neither the kernel nor the daemon has ended its
  /// scheduler.
  [[nodiscard]] bool is_in_charge() const;
  /// Ends the daemon, and with it its memory of the scheduler that was ended.
  void forget() { daemon_.reset(); }

  [[nodiscard]] bool has_sched_ext() const { return has_sched_ext_; }
  [[nodiscard]] bool is_emulated() const { return is_emulated_; }
  /// The last of this machine's CPUs, to which loads are bound.
  [[nodiscard]] static unsigned crowded_cpu();
  [[nodiscard]] static unsigned cpus();
  /// The period of the kernel's tick.
  [[nodiscard]] static double tick_ms();

  /// Where workers attach: nowhere, unless the present subject hints.
  [[nodiscard]] const std::string& socket() const;
  [[nodiscard]] DaemonUnderTest& daemon();
  [[nodiscard]] Peers& peers() { return peers_; }
  /// Sets the daemon's, in ms, for as long as it runs.
  void set_tunables_ms(double slice, double grace, double hold_cap, double hint_lead);

 private:
  void start_daemon();
  void expect_in_charge() const;

  bool has_sched_ext_;
  bool is_emulated_;
  Peers peers_;
  std::optional<DaemonUnderTest> daemon_;
  Subject subject_ = Subject::kernel;
};

}  // namespace morpheus::bench
