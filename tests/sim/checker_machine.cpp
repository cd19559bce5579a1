// SPDX-License-Identifier: GPL-2.0-only
// What the checker learns from the machine itself: which threads get and lose CPUs, which wait, and
// for how long.
#include <algorithm>

#include "tests/sim/machine.hpp"

namespace morpheus::sim {

void Checker::starts(Thread& t, std::uint64_t waited) {
  auto& truth = t.truth;
  truth.run_start = truth.turn_start = machine_.now();
  truth.held_since = truth.displaced_at != 0
                         ? truth.held_since + (truth.run_start - truth.displaced_at)
                         : truth.run_start;
  truth.displaced_at = 0;
  truth.seen = true;
  note("runs", t, waited);
  if (t.woken_at != 0 && !is_worker_kind(t.kind) && t.kind != Kind::higher)
    figures_.wake_to_run.add(machine_.now() - t.woken_at);
  t.woken_at = 0;
  check_wait(t, machine_.now() - t.starve_since);
}

/// `next` takes the CPU from `prev`, which would run on. Invariant 1.
void Checker::loses(Thread& prev, const Thread& next) {
  note("loses the CPU", prev, next.index);
  Truth& truth = prev.truth;
  if (prev.sched_class == SchedClass::ext && next.sched_class == SchedClass::higher &&
      prev.task.scx.slice != 0)
    truth.displaced_at = machine_.now();
  if (prev.sched_class != SchedClass::ext || next.sched_class != SchedClass::ext) return;
  if (truth.slot == 0 || truth.state != MORPHEUS_WORKER_RUNNING) return;
  if (prev.runtime.is_in_critical_section == 0) return;
  ++figures_.critical_lost;
  const auto held = machine_.now() - truth.held_since;
  if (!truth.seen || held < machine_.tunables().hold_cap_ns)
    fail("critical", prev,
         "lost its CPU to thread " + std::to_string(next.index) +
             " inside a critical section, after " + std::to_string(held / kUs) + " us");
}

void Checker::yields(const Thread& t) {
  ++figures_.yields;
  if (machine_.waiting_for(t.task.thread_info.cpu) == 0) ++figures_.idle_yields;
  note("yields", t, 0);
}

void Checker::exits(Thread& t) {
  if (t.truth.slot != 0) t.truth.state = MORPHEUS_WORKER_DEAD;
}

void Checker::check_lines(const Thread& t) const {
  const auto& w = *programs_worker(t.truth.slot);
  if (t.kernel.preempt_seq != t.truth.seq || w.seq != t.truth.seq)
    fail("sequence", t, "preempt_seq is not the number of hints given");
  if (w.ended_seq != t.truth.closed_seq) fail("one-hint", t, "open and closed hints are confused");
  if (t.kernel.withdrawn_seq != t.truth.withdrawn_seq ||
      t.kernel.withdrawn_seq > t.kernel.preempt_seq)
    fail("sequence", t, "withdrawn_seq names no hint that was withdrawn");
}

/// After each interrupt: the worker of the last decision, and the one that has the CPU.
void Checker::settled(const Cpu& c) {
  if (touched_ != 0)
    if (const Thread* t = machine_.thread_of_slot(touched_)) check_lines(*t);
  touched_ = 0;
  if (c.current != nullptr && c.current->truth.slot != 0) check_lines(*c.current);
}

/// The records that operators see, against an independent count.
void Checker::compare(const Thread& t) {
  const Truth& truth = t.truth;
  if (truth.slot == 0) return;
  const auto& w = *programs_worker(truth.slot);
  std::uint64_t blocked = 0;
  const auto hints = morpheus_hints_given(&w);
  for (const auto count : w.blocked) blocked += count;
  const auto same = [&](const char* what, std::uint64_t theirs, std::uint64_t ours) {
    if (theirs != ours)
      fail("counters", t,
           std::string(what) + " is " + std::to_string(theirs) + ", not " + std::to_string(ours));
  };
  same("hints", hints, truth.hints);
  same("acknowledged", w.acknowledged, truth.acknowledged);
  same("withdrawn", w.withdrawn, truth.withdrawn);
  same("lost", w.lost, truth.lost);
  same("hint_loss_count", t.kernel.hint_loss_count, truth.lost);
  same("escalations", w.escalations, truth.escalations);
  same("blocked", blocked, truth.blocked);
  same("deferrals", w.deferrals, truth.deferrals);
  same("overruns", w.overruns, truth.overruns);
  if (w.cpu_time_ns > truth.ran_ns) fail("counters", t, "more CPU time than it had");
  if (w.wait_time_ns > truth.waited_ns) fail("counters", t, "more waiting time than it waited");
}

void Checker::tunables_changed() { longest_hold_ = std::max(longest_hold_, 150 * kMs + 20 * kMs); }

/// All other threads may come first, each for as long as the cap allows, which a tick enforces; a
/// higher class may take half of that time.
std::uint64_t Checker::longest_possible_wait() const {
  const auto& t = machine_.config().tunables;
  const auto hold = std::max<std::uint64_t>(longest_hold_, t.hold_cap_ns + t.slice_ns) + 2 * kTick;
  const auto turns = 2 * hold * machine_.threads().size();
  switch (machine_.config().mix) {
    case Mix::weighted:
    case Mix::grouped:
      return 4 * turns;
    case Mix::light:
      return 2 * POLICY_LONGEST_WAIT_NS + turns;
    default:
      return turns;
  }
}

void Checker::check_wait(const Thread& t, std::uint64_t waited) {
  if (t.sched_class != SchedClass::ext) return;
  figures_.longest_wait_ns = std::max(figures_.longest_wait_ns, waited);
  // one that claims the lowest priority weighs a tenth, and pays ten times for a turn
  if (waited > longest_possible_wait() * (t.kind == Kind::chaos ? 10 : 1))
    fail("starvation", t, "waited for a CPU for " + std::to_string(waited / kMs) + " ms");
}

/// Looks at one thread after another, so that one that never gets a CPU is found as well.
void Checker::patrol() {
  const auto& threads = machine_.threads();
  const Thread& t = threads[beat_++ % threads.size()];
  if (t.state != RunState::runnable) return;
  check_wait(t, machine_.now() - t.starve_since);
  if (t.sched_class != SchedClass::ext || machine_.now() - t.starve_since < 2 * kTick) return;
  for (auto cpu = t.allowed.lo; cpu <= t.allowed.hi; ++cpu)
    if (machine_.cpu(cpu).current == nullptr &&
        machine_.now() - machine_.cpu(cpu).idle_since > 2 * kTick) {
      fail("idle", t, "waits while a CPU is idle");
    }
}

void Checker::finish() {
  for (const auto& t : machine_.threads()) compare(t);
}

}  // namespace morpheus::sim
