// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/client/client_thread.hpp"

#include <sched.h>

#include "proto/monotonic_clock.hpp"

namespace morpheus::sdk {
namespace {

template <class T>
T load(const T& field) {
  return __atomic_load_n(&field, __ATOMIC_RELAXED);
}

template <class T>
void store(T& field, T value) {
  __atomic_store_n(&field, value, __ATOMIC_RELAXED);
}

}  // namespace

void ClientThread::begin(const Binding& binding) {
  claims_ = {};
  stats_ = {};
  mode_ = {};
  bind(binding);
}

void ClientThread::end() {
  Claims nothing;
  claim(nothing);  // the kernel may look once more before the daemon forgets this worker
  bind({});
  state = MORPHEUS_WORKER_INIT;
  slot = kUnguided;
}

void ClientThread::abandon() {
  own_line_.is_in_critical_section = *critical;
  line_ = &own_line_;
  critical = &own_line_.is_in_critical_section;
  bound_ = {};
  acknowledged_ = seen_ = Epoch::base();
  state = MORPHEUS_WORKER_INIT;
  slot = kUnguided;
}

bool ClientThread::rebind(std::uint64_t epoch) {
  return offer_.accept(epoch, [this](const Binding& offered) {
    ++stats_.rebinds;
    bind(offered);
  });
}

void ClientThread::bind(const Binding& binding) {
  bound_ = binding;
  line_ = binding.runtime != nullptr ? binding.runtime : &own_line_;
  critical = &line_->is_in_critical_section;
  acknowledged_ = seen_ = binding.kernel != nullptr ? binding.base : Epoch::base();
  mode_.begin_losses(binding.kernel != nullptr ? load(binding.kernel->hint_loss_count) : 0);
  write_claims();
  offer_.note_in_use(binding.epoch);
}

const std::uint64_t* ClientThread::seq() const {
  if (bound_.kernel == nullptr) return &Epoch::idle_seq();
  return reinterpret_cast<const std::uint64_t*>(&bound_.kernel->preempt_seq);
}

morpheus_answer ClientThread::acknowledge(morpheus_safepoint at) {
  if (is_critical()) {
    ++stats_.deferred;
    return {at, false};
  }
  while (true) {
    const std::uint64_t epoch = Epoch::current();
    // Left as it is, the safe point differs from what the new epoch shows, and comes back.
    if (!Epoch::is_settled(epoch)) return {at, false};
    if (epoch != bound_.epoch && !rebind(epoch)) return {at, false};
    const Sight sight = look();
    if (Epoch::current() == epoch) return decide(sight);
  }
}

ClientThread::Sight ClientThread::look() const {
  const std::uint64_t seq_now = __atomic_load_n(seq(), __ATOMIC_ACQUIRE);
  if (bound_.kernel == nullptr) return {seq_now, seq_now, 0};
  return {seq_now, load(bound_.kernel->withdrawn_seq), load(bound_.kernel->hint_loss_count)};
}

morpheus_answer ClientThread::decide(const Sight& sight) {
  const std::uint64_t now = monotonic_ns();
  mode_.note_losses(sight.losses, now);
  bool asked = false;
  // Another copy of the safe point may have acknowledged already.
  if (sight.seq != acknowledged_) asked = acknowledge_hints(sight, now);
  const bool defensive = update_mode() == MORPHEUS_DEFENSIVE;
  if (defensive && !asked && mode_.is_yield_due(now)) {
    asked = true;
    ++stats_.eager_yields;
    write_reason(MORPHEUS_YIELD_CHECKPOINT);
  }
  // A value that never matches: in DEFENSIVE every checkpoint comes here, and only then.
  seen_ = defensive ? ~sight.seq : sight.seq;
  return {safepoint(), asked};
}

/// True: the thread is to give up the CPU.
bool ClientThread::acknowledge_hints(const Sight& sight, std::uint64_t now) {
  const bool withdrawn = sight.withdrawn >= sight.seq;
  stats_.hints += sight.seq - acknowledged_;
  stats_.acks += 1;
  stats_.withdrawn += withdrawn ? 1 : 0;
  mode_.note_hint(now);
  acknowledged_ = sight.seq;
  if (!withdrawn) write_reason(MORPHEUS_YIELD_HINT);
  store(line_->last_ack_ns, static_cast<__u64>(now));
  __atomic_store_n(&line_->last_ack_seq, static_cast<__u64>(sight.seq), __ATOMIC_RELEASE);
  return !withdrawn;
}

void ClientThread::claim(const Claims& claims) {
  claims_ = claims;
  write_claims();
}

void ClientThread::write_claims() {
  store(line_->last_ack_seq, static_cast<__u64>(acknowledged_));
  store(line_->runtime_priority, claims_.priority);
  store(line_->escalation_policy, claims_.policy);
  store(line_->runtime_mode, static_cast<__u32>(mode_.current()));
  // Consent last: the rest must be in place when the kernel may act on it.
  __atomic_store_n(&line_->escapable, claims_.escapable, __ATOMIC_RELEASE);
}

void ClientThread::write_reason(morpheus_yield_reason reason) {
  store(line_->last_yield_reason, static_cast<__u32>(reason));
  reason_is_set_ = true;
}

void ClientThread::yield() {
  if (!reason_is_set_) write_reason(MORPHEUS_YIELD_EXPLICIT);
  reason_is_set_ = false;
  ++stats_.yields;
  ::sched_yield();
  mode_.note_yield(monotonic_ns());
}

morpheus_runtime_mode ClientThread::update_mode() {
  const morpheus_runtime_mode mode = mode_.update(monotonic_ns());
  store(line_->runtime_mode, static_cast<__u32>(mode));
  return mode;
}

morpheus_guidance ClientThread::guidance() const {
  const morpheus_scb_kernel* line = bound_.kernel;
  // In an epoch that is over, the window may show another worker's line there.
  if (line == nullptr || bound_.epoch != Epoch::current()) return {};
  return {.budget_remaining_ns = load(line->budget_remaining_ns),
          .hint_deadline_ns = load(line->hint_deadline_ns),
          .last_escalation_ns = load(line->last_escalation_ns),
          .cpu_time_ns = load(line->cpu_time_ns),
          .wait_time_ns = load(line->wait_time_ns),
          .pressure_level = load(line->kernel_pressure_level),
          .hint_reason = load(line->hint_reason),
          .hint_loss_count = load(line->hint_loss_count),
          .source = static_cast<std::uint32_t>(bound_.epoch) | 1U};  // epochs in use are even
}

}  // namespace morpheus::sdk
