// SPDX-License-Identifier: GPL-2.0-only
// The daemon's only view of the kernel. Two implementations: BpfKernel (the real one) and
// FakeKernel (tests without root). Everything here is called from the daemon's one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/config/mode.hpp"
#include "daemon/kernel/control_groups.hpp"
#include "daemon/kernel/shared_lines.hpp"
#include "proto/blame.h"
#include "proto/events.h"
#include "proto/result.hpp"

namespace morpheus::daemon {

/// How our scheduler last ended, in the kernel's words.
struct SchedulerExit {
  morpheus_exit_cause cause = MORPHEUS_EXIT_NONE;
  std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC
  std::int64_t code = 0;
  std::string reason, message;
  std::string dump;  ///< the kernel's view of all CPUs and threads then; many lines, or empty
};

/// The reason, and the message if there is one. Pure.
[[nodiscard]] inline std::string to_text(const SchedulerExit& exit) {
  return exit.message.empty() ? exit.reason : exit.reason + ": " + exit.message;
}

/// What the kernel says about sched_ext, read afresh at each call.
struct SchedulerReport {
  bool attached = false;                    ///< our scheduler is the one that runs
  std::optional<std::string> kernel_state;  ///< /sys/kernel/sched_ext/state
  std::optional<std::string> kernel_ops;    ///< /sys/kernel/sched_ext/root/ops
  std::optional<std::string> why_not;       ///< why Enforced cannot be had; nothing if it can
  /// Shared, because it is long and read often; null if only set_mode() ever ended the scheduler.
  std::shared_ptr<const SchedulerExit> last_exit;
};

/// One worker to be watched.
struct WorkerSpec {
  std::uint32_t slot = 0;        ///< index into the worker table, 1 .. MORPHEUS_MAX_WORKERS - 1
  std::uint32_t generation = 0;  ///< differs for each use of the slot
  std::uint32_t tid = 0;
  int thread_pidfd = -1;  ///< borrowed until remove_worker(); made with PIDFD_THREAD
  /// The client's; borrowed until remove_worker() has returned.
  const ClientLines* lines = nullptr;
  std::uint32_t line = 0;       ///< index into them
  std::uint64_t first_seq = 0;  ///< where preempt_seq starts
};

/// Which events the kernel makes; each level holds those before it.
enum class EventDetail : std::uint8_t {
  own,    ///< those that the daemon itself needs: ACKNOWLEDGED and EXIT
  hints,  ///< what becomes of hints and slices
  runs,   ///< also each worker's every run: MORPHEUS_TRACE_EVENTS
};

/// What the kernel says of a worker that keeps threads waiting.
using BlameRecord = std::variant<morpheus_blame_sample, morpheus_blame_wait>;
using EachBlame = std::function<void(const BlameRecord& record)>;

class KernelSide {
 public:
  virtual ~KernelSide() = default;

  /// "bpf" or "fake".
  [[nodiscard]] virtual std::string_view name() const = 0;

  /// Loads and verifies everything, attaches the observer. The error says what is missing and what
  /// to do.
  [[nodiscard]] virtual Result<void> start(const morpheus_tunables& tunables) = 0;

  /// Detaches and unloads everything. Idempotent.
  virtual void stop() = 0;

  /// Attaches or detaches the sched_ext scheduler; workers and their hints stay. The error's text
  /// is the sentence for the operator.
  [[nodiscard]] virtual Result<void> set_mode(Mode mode) = 0;

  [[nodiscard]] virtual SchedulerReport report() = 0;

  /// How often to call set_groups() in Enforced mode, in seconds; 0: never.
  [[nodiscard]] virtual unsigned group_interval() const = 0;

  /// All control groups that have a bound or may be throttled now.
  virtual void set_groups(std::span<const GroupRule> rules) = 0;

  virtual void set_penalty(const morpheus_penalty& penalty) = 0;

  /// Whether its scheduler could starve a thread.
  [[nodiscard]] virtual bool needs_canary() const = 0;

  /// Detaches the scheduler in an emergency, even when the daemon's own thread hangs: any thread
  /// may call it, also after the scheduler is gone. set_mode(observer) is still needed afterwards.
  /// Empty if no scheduler is attached that could starve a thread.
  [[nodiscard]] virtual std::function<void()> rescue() = 0;

  virtual void set_tunables(const morpheus_tunables& tunables) = 0;

  /// Makes memory for at least `workers` lines of each kind that this kernel side can share with
  /// BPF.
  [[nodiscard]] virtual Result<ClientLines> make_lines(std::uint32_t workers) = 0;

  /// Makes the thread a worker in state REGISTERED and initialises its kernel line.
  [[nodiscard]] virtual Result<void> add_worker(const WorkerSpec& spec) = 0;

  /// The caller has checked the transition. Takes effect before the call returns, in the worker's
  /// kernel line too.
  virtual void set_worker_state(std::uint32_t slot, morpheus_worker_state state) = 0;

  /// Removes the worker; its thread may be gone already. The slot can be used again afterwards.
  virtual void remove_worker(std::uint32_t slot) = 0;

  /// The worker's record; fields may be from slightly different moments.
  [[nodiscard]] virtual morpheus_worker_record worker(std::uint32_t slot) const = 0;

  /// Each event costs the threads it is about: want no more than the subscribers do.
  virtual void want_events(EventDetail detail) = 0;

  /// Becomes readable when events wait; -1 if there is nothing to watch.
  [[nodiscard]] virtual int event_fd() const = 0;

  /// Hands over all waiting events.
  virtual void drain_events(const std::function<void(const morpheus_event&)>& each) = 0;

  /// Has samples made of workers that keep threads waiting; drain_events() hands them to `each`. An
  /// empty `each` ends that, and it is off at first: it costs every switch a little.
  [[nodiscard]] virtual Result<void> want_blame(EachBlame each) = 0;

  /// How long workers waited for a CPU, all of them, since start.
  [[nodiscard]] virtual morpheus_time_counts wait_times() const = 0;

  /// Events that were lost because the ring was full, since start.
  [[nodiscard]] virtual std::uint64_t events_dropped() const = 0;
};

}  // namespace morpheus::daemon
