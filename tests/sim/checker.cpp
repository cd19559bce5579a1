// SPDX-License-Identifier: GPL-2.0-only
#include "tests/sim/checker.hpp"

#include <algorithm>

#include "tests/sim/machine.hpp"

namespace morpheus::sim {
namespace {

constexpr const char* kEventNames[MORPHEUS_EVENT_COUNT] = {
    "?",       "hint", "ack", "withdrawn", "lost",     "ESCALATED", "blocked",
    "overrun", "exit", "run", "stop",      "deferred", "throttled", "unthrottled"};
constexpr const char* kKindNames[] = {"cooperative",  "spinner", "deaf", "ack_liar", "chaos",
                                      "critical_hog", "sleepy",  "hog",  "probe",    "higher"};

std::string us(std::uint64_t ns) { return std::to_string(ns / 1000) + " us"; }

}  // namespace

void Checker::note(const char* what, const Thread& t, std::uint64_t value) {
  notes_[noted_++ % notes_.size()] = {machine_.now(), what, sim_context.cpu, t.index, value};
}

void Checker::fail(const char* rule, const Thread& t, const std::string& how) const {
  std::string text = std::string("rule '") + rule + "' broken at " + us(machine_.now()) +
                     " on CPU " + std::to_string(sim_context.cpu) + " by what was done to thread " +
                     std::to_string(t.index) + " (" + kKindNames[static_cast<int>(t.kind)] +
                     ", slot " + std::to_string(t.truth.slot) + "): " + how + "\nseed " +
                     std::to_string(machine_.config().seed) + ", decision " +
                     std::to_string(figures_.decisions) + "; the last events:\n";
  for (auto i = noted_ > notes_.size() ? noted_ - notes_.size() : 0; i < noted_; ++i) {
    const auto& n = notes_[i % notes_.size()];
    text += "  " + us(n.time) + "  cpu " + std::to_string(n.cpu) + "  thread " +
            std::to_string(n.thread) + "  " + n.what + " " + std::to_string(n.value) + "\n";
  }
  throw Violation(rule, text);
}

void Checker::weakness(std::uint64_t& count, const char* rule, const Thread& t,
                       const char* how) const {
  if (machine_.config().strict) fail(rule, t, how);
  ++count;
}

Thread& Checker::worker(std::uint32_t slot, const char* what) {
  static const Thread kNoThread{};
  Thread* t = machine_.thread_of_slot(slot);
  if (t == nullptr)
    fail("counters", kNoThread,
         std::string(what) + " about slot " + std::to_string(slot) + ", which no thread has");
  return *t;
}

void Checker::hint_decided(std::uint32_t slot, std::uint32_t waiters, bool contended,
                           std::uint32_t reason) {
  ++figures_.decisions;
  ++figures_.hint_decisions;
  touched_ = slot;
  if (reason == MORPHEUS_HINT_NONE) return;
  Thread& t = worker(slot, "a hint");
  Truth& truth = t.truth;
  const auto cpu = t.task.thread_info.cpu;
  note("decide a hint, reason", t, reason);
  if (truth.state != MORPHEUS_WORKER_RUNNING)
    fail("state", t, "hinted in state " + std::to_string(truth.state));
  if (machine_.cpu(cpu).current != &t) fail("pressure", t, "hinted while it has no CPU");
  if (t.state != RunState::running)
    weakness(figures_.hinted_asleep, "asleep", t,
             "hinted while about to sleep, for a thread that is pulled to its CPU");
  if (truth.seq != truth.closed_seq) fail("one-hint", t, "hinted while a hint is open");
  if (waiters == 0 && !contended)
    fail("pressure", t, "hinted although the programs know of no waiting thread");
  if (machine_.waiting_for(cpu) == 0) {
    if (!machine_.haunted(slot)) fail("pressure", t, "hinted although no thread waits for its CPU");
    weakness(figures_.hinted_by_ghost, "ghost", t,
             "hinted for a waiter of the CPU that its slot's previous owner has");
  }
  ++truth.seq;
  ++truth.hints;
  ++figures_.hints;
  truth.hinted_at = machine_.now();
}

void Checker::slice_decided(std::uint32_t slot, const policy_claims& claims, bool contended,
                            std::uint32_t verdict) {
  ++figures_.decisions;
  ++figures_.slice_decisions;
  touched_ = slot;
  Thread& t = worker(slot, "a slice");
  Truth& truth = t.truth;
  if (verdict == POLICY_SLICE_RENEW || machine_.waiting_for(t.task.thread_info.cpu) == 0)
    truth.held_since = machine_.now();
  if (verdict == POLICY_SLICE_DEFER) ++truth.deferrals, ++figures_.deferrals;
  if (verdict == POLICY_SLICE_OVERRUN) ++truth.overruns, ++figures_.overruns;
  // A tick of slack: the programs cannot see every moment at which a higher class held the CPU.
  if (verdict == POLICY_SLICE_DEFER &&
      machine_.now() - truth.held_since >= machine_.tunables().hold_cap_ns + kTick)
    fail("cap", t,
         "deferred beyond the cap: " + std::to_string((machine_.now() - truth.held_since) / kUs) +
             " us of " + std::to_string(machine_.tunables().hold_cap_ns / kUs));
  if (verdict == POLICY_SLICE_DEFER && !contended)
    fail("slice", t, "deferred although no thread waits");
  if (verdict == POLICY_SLICE_DEFER && claims.critical == 0 && truth.seq == truth.closed_seq)
    fail("slice", t, "deferred without a critical section or a hint");
  if (verdict == POLICY_SLICE_END && t.runtime.is_in_critical_section != 0)
    fail("critical", t, "a slice was ended inside a critical section");
  if (verdict != POLICY_SLICE_RENEW && verdict != POLICY_SLICE_KEEP)
    note("slice verdict", t, verdict);
}

/// Other threads wait, but are owed less: a worker has another slice, in a turn no longer than the
/// cap.
void Checker::stay_decided(std::uint32_t slot) {
  Thread& t = worker(slot, "a slice");
  const auto turn = machine_.now() - t.truth.turn_start;
  if (turn >= machine_.tunables().hold_cap_ns)
    fail("cap", t, "stays although others wait, after " + std::to_string(turn / kUs) + " us");
  t.truth.held_since = machine_.now();
}

void Checker::gate_decided(std::uint32_t slot, const policy_claims& claims, std::uint32_t block) {
  ++figures_.decisions;
  ++figures_.gate_decisions;
  touched_ = slot;
  if (block != MORPHEUS_BLOCK_NONE) return;
  Thread& t = worker(slot, "an escalation");
  const Truth& truth = t.truth;
  const auto& tunables = machine_.tunables();
  const auto now = machine_.now();
  if (!machine_.enforced()) fail("consent", t, "escalated without Enforced mode");
  if (machine_.cpu(sim_context.cpu).current != &t) fail("own-cpu", t, "escalated from another CPU");
  if (truth.state != MORPHEUS_WORKER_RUNNING) fail("state", t, "escalated outside RUNNING");
  if (t.runtime.escapable != 1 || claims.escapable != 1)
    fail("consent", t, "escalated without consent");
  if (t.runtime.escalation_policy == MORPHEUS_POLICY_NONE ||
      t.runtime.escalation_policy >= MORPHEUS_POLICY_COUNT)
    fail("consent", t, "escalated without a policy");
  if (t.runtime.is_in_critical_section != 0)
    fail("critical", t, "escalated inside a critical section");
  if (truth.seq == truth.closed_seq) fail("recovery", t, "escalated without an open hint");
  if (t.runtime.last_ack_seq == truth.seq)
    fail("recovery", t, "escalated although it had acknowledged");
  if (now - truth.hinted_at < tunables.grace_ns)
    fail("recovery", t, "escalated before the deadline");
  if (now - truth.run_start <= tunables.slice_ns + tunables.grace_ns)
    fail("recovery", t, "escalated although it has run for only " + us(now - truth.run_start));
  if (machine_.waiting_for(sim_context.cpu) == 0)
    weakness(figures_.escalated_for_nobody, "nobody", t, "escalated although no thread waits");
}

void Checker::event(const morpheus_event& event) {
  Thread& t = worker(event.slot, "an event");
  Truth& truth = t.truth;
  note(kEventNames[event.type < MORPHEUS_EVENT_COUNT ? event.type : 0], t, event.value_ns);
  touched_ = event.slot;
  const bool open = truth.seq != truth.closed_seq;
  if (event.seq != truth.seq) fail("sequence", t, "an event names a hint that is not the last one");
  switch (event.type) {
    case MORPHEUS_EVENT_RUN:
      if (!truth.seen) truth.held_since = machine_.now();  // it ran when it was registered
      truth.seen = true;
      break;
    case MORPHEUS_EVENT_ACKNOWLEDGED:
      if (!open) fail("one-hint", t, "an acknowledgement of a hint that was not open");
      if (t.runtime.last_ack_seq != truth.seq)
        fail("sequence", t, "a false acknowledgement was believed");
      figures_.hint_to_ack.add(event.value_ns);
      if (event.value_ns > machine_.now() - truth.hinted_at)
        fail("counters", t, "an impossible latency");
      truth.closed_seq = truth.seq;
      // The programs' own mode counts: it is the first to change.
      if (programs_mode() == MORPHEUS_OBSERVER_ONLY) truth.held_since = machine_.now();
      ++truth.acknowledged, ++figures_.acknowledged;
      break;
    case MORPHEUS_EVENT_WITHDRAWN:
      if (!open) fail("one-hint", t, "a hint was withdrawn that was not open");
      truth.closed_seq = truth.withdrawn_seq = truth.seq;
      ++truth.withdrawn, ++figures_.withdrawn;
      break;
    case MORPHEUS_EVENT_LOST:
      if (!open || machine_.now() - truth.hinted_at < machine_.tunables().grace_ns)
        fail("recovery", t, "a hint was called lost before its deadline");
      ++truth.lost, ++figures_.lost;
      break;
    case MORPHEUS_EVENT_ESCALATED:
      ++truth.escalations, ++figures_.escalations;
      break;
    case MORPHEUS_EVENT_BLOCKED:
      ++truth.blocked, ++figures_.blocked;
      break;
    default:
      break;
  }
}

}  // namespace morpheus::sim
