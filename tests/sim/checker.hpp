// SPDX-License-Identifier: GPL-2.0-only
// What must hold, checked at every decision against what the simulated machine knows to be true.
// The checker sees decisions and events as they come and trusts no record of the programs.
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "bpf/policy.bpf.h"
#include "tests/sim/histogram.hpp"
#include "tests/sim/thread.hpp"

namespace morpheus::sim {

class Machine;
struct Cpu;

/// A rule that was broken: which one, how, and what came before.
class Violation : public std::runtime_error {
 public:
  Violation(std::string broken_rule, const std::string& text)
      : std::runtime_error(text), rule(std::move(broken_rule)) {}
  std::string rule;
};

struct Figures {
  std::uint64_t decisions = 0, events = 0;
  std::uint64_t hint_decisions = 0, slice_decisions = 0, gate_decisions = 0;
  std::uint64_t hints = 0, acknowledged = 0, withdrawn = 0, lost = 0;
  std::uint64_t escalations = 0, blocked = 0, deferrals = 0, overruns = 0;
  /// The CPU was lost to our class inside a critical section, after the cap.
  std::uint64_t critical_lost = 0;
  std::uint64_t yields = 0, idle_yields = 0;  ///< of those, without a waiting thread
  std::uint64_t escalated_for_nobody = 0;
  /// Hints for a waiter of the CPU that the slot's previous owner has.
  std::uint64_t hinted_by_ghost = 0;
  std::uint64_t hinted_asleep = 0;  ///< hints to a worker that is about to sleep
  /// Patrols that found a waiting thread and a CPU for it that had been idle for two ticks.
  std::uint64_t longest_wait_ns = 0;  ///< runnable without a CPU, Enforced
  Histogram wake_to_run;              ///< of ordinary threads that were woken
  Histogram hint_to_ack;
};

class Checker {
 public:
  explicit Checker(Machine& machine) : machine_(machine) {}

  // From the programs.
  void hint_decided(std::uint32_t slot, std::uint32_t waiters, bool contended,
                    std::uint32_t reason);
  void slice_decided(std::uint32_t slot, const policy_claims& claims, bool contended,
                     std::uint32_t verdict);
  void stay_decided(std::uint32_t slot);
  void gate_decided(std::uint32_t slot, const policy_claims& claims, std::uint32_t block);
  void event(const morpheus_event& event);

  // From the machine.
  void starts(Thread& t, std::uint64_t waited);
  void loses(Thread& prev, const Thread& next);
  void yields(const Thread& t);
  void exits(Thread& t);
  void settled(const Cpu& c);
  void compare(const Thread& t);
  void tunables_changed();
  void patrol();
  void finish();

  Figures& figures() { return figures_; }
  [[nodiscard]] const Figures& figures() const { return figures_; }
  [[noreturn]] void fail(const char* rule, const Thread& t, const std::string& how) const;

 private:
  struct Note {
    std::uint64_t time;
    const char* what;
    std::uint32_t cpu, thread;
    std::uint64_t value;
  };
  /// A known weakness: counted, or in strict runs a violation.
  void weakness(std::uint64_t& count, const char* rule, const Thread& t, const char* how) const;
  void note(const char* what, const Thread& t, std::uint64_t value);
  Thread& worker(std::uint32_t slot, const char* what);
  void check_lines(const Thread& t) const;
  void check_wait(const Thread& t, std::uint64_t waited);
  [[nodiscard]] std::uint64_t longest_possible_wait() const;

  Machine& machine_;
  Figures figures_;
  std::array<Note, 128> notes_{};
  std::uint64_t noted_ = 0;
  std::uint64_t longest_hold_ = 0, tunables_since_ = 0;
  morpheus_tunables before_{};
  std::uint32_t touched_ = 0;  ///< the slot that the last decision was about
  std::size_t beat_ = 0;
};

}  // namespace morpheus::sim
