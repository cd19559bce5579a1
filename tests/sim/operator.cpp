// SPDX-License-Identifier: GPL-2.0-only
// What changes from outside: the daemon changes its workers' lifecycles, the operator modes and
// tunables, an administrator affinities. All at random moments, in the order in which the daemon
// does it.
#include <algorithm>

#include "tests/sim/machine.hpp"

namespace morpheus::sim {
namespace {

constexpr Kind kAll[] = {Kind::cooperative, Kind::spinner, Kind::cooperative,  Kind::deaf,
                         Kind::ack_liar,    Kind::chaos,   Kind::critical_hog, Kind::sleepy};
constexpr Kind kKeeping[] = {Kind::cooperative, Kind::spinner, Kind::sleepy};
constexpr Kind kHostile[] = {Kind::deaf, Kind::chaos, Kind::ack_liar, Kind::critical_hog,
                             Kind::deaf};

Kind worker_kind(Mix mix, std::uint32_t i) {
  switch (mix) {
    case Mix::everything:
      return kAll[i % std::size(kAll)];
    case Mix::hostile:
      return kHostile[i % std::size(kHostile)];
    case Mix::cooperative:
    case Mix::alone:
      return kKeeping[i % std::size(kKeeping)];
    default:
      return Kind::spinner;
  }
}

/// Groups 1 to 3 are below the root, 4 is below 3.
void make_groups(Mix mix) {
  const auto of = [mix](std::uint32_t weighted) {
    return (mix == Mix::weighted ? weighted : 2) << 20;
  };
  programs_make_group(1, 0, of(1));
  programs_make_group(2, 0, mix == Mix::light ? (1 << 20) / 1000 : of(2));
  programs_make_group(3, 0, of(4));
  programs_make_group(4, 3, 1 << 19);
  for (std::uint32_t i = 5; i < 16; ++i) programs_make_group(i, 0, of(1u << (i % 3)));
}

std::uint32_t group_of(Mix mix, std::uint32_t thread) {
  switch (mix) {
    case Mix::everything:
      return thread % 5;
    case Mix::weighted:
      return 6 + thread;
    case Mix::grouped:
      return thread < 2 ? 1 : 2;
    case Mix::light:
      return thread == 0 ? 2 : 0;
    default:
      return 0;
  }
}

}  // namespace

void Machine::populate() {
  make_groups(config_.mix);
  free_slots_.resize(slots_.size() - 1);
  for (std::uint32_t i = 0; auto& slot : free_slots_)
    slot = static_cast<std::uint32_t>(slots_.size()) - ++i;
  generations_.resize(slots_.size());
  for (std::uint32_t i = 0; i < config_.workers; ++i) add_thread(worker_kind(config_.mix, i));
  for (std::uint32_t i = 0; i < config_.ordinary; ++i)
    add_thread(config_.higher && i % 6 == 5 ? Kind::higher : i % 3 == 2 ? Kind::hog : Kind::probe);
  for (auto& t : threads_)
    if (is_worker_kind(t.kind) && config_.programs) {
      register_worker(t);
      set_state(t, MORPHEUS_WORKER_RUNNING);
    }
  if (config_.enforced && config_.programs) {
    set_enforced(true);
    finish_switch();
  }
  events_.push(now() + 1 * kMs, EventType::operate, 0);
}

void Machine::add_thread(Kind kind) {
  Thread& t = threads_.emplace_back();
  t.index = static_cast<std::uint32_t>(threads_.size() - 1);
  t.kind = kind;
  t.rng = Rng(config_.seed * 0x10001 + t.index);
  t.task.owner = &t;
  const auto last = config_.cpus - 1;
  const bool bound =
      config_.mix == Mix::alone || kind == Kind::higher || (config_.pinned && t.rng.one_in(3));
  t.allowed = {0, last};
  if (bound)
    t.allowed.lo = t.allowed.hi = t.index % config_.cpus;
  else if (config_.pinned && t.rng.one_in(4))
    t.allowed.hi = last / 2;
  t.mortal = config_.mix < Mix::equal && kind != Kind::higher && t.rng.one_in(3);
  reborn(t);
}

/// No group bounds its threads' time: all are in one for that.
css_set* only_group() {
  static kernfs_node node{1, nullptr};
  static cgroup group{{nullptr, 0, nullptr}, &node};
  static css_set set{&group};
  return &set;
}

/// A new thread in the place of one that is gone.
void Machine::reborn(Thread& t) {
  t.task.cgroups = only_group();
  t.task.pid = next_pid_++;
  t.task.flags = 0;
  t.task.cpus_ptr = &t.allowed;
  t.task.nr_cpus_allowed = static_cast<int>(t.allowed.hi - t.allowed.lo + 1);
  t.task.thread_info.cpu = t.allowed.lo + t.index % (t.allowed.hi - t.allowed.lo + 1);
  t.task.se.cfs_rq = &cpus_[t.task.thread_info.cpu].fair_runqueue;
  t.task.se.sum_exec_runtime = 0;
  t.task.scx = {SCX_SLICE_DFL, 0, 100, 0};
  t.task.policy = 0;
  t.task.static_prio = 120;
  t.task.on_rq = 0;
  programs_put_in_group(&t.task, group_of(config_.mix, t.index));
  t.task.has_storage = 0;
  t.exiting = false;
  t.newborn = true;
  t.consents = t.rng.one_in(2);
  t.runtime = {};
  t.kernel = {};
  t.truth = {};
  t.vruntime = cpus_[t.task.thread_info.cpu].fair_floor;
  t.step_left = t.rng.between(10 * kUs, 300 * kUs);
  t.state = RunState::sleeping;
  t.sched_class = t.kind == Kind::higher ? SchedClass::higher
                  : ext_active_          ? SchedClass::ext
                                         : SchedClass::fair;
  be_on(cpus_[t.task.thread_info.cpu]);  // the thread there makes this one
  if (t.sched_class == SchedClass::ext) morpheus_enable(&t.task);
  events_.push(now() + t.rng.between(1 * kUs, 3 * kMs), EventType::wake, t.index,
               ++t.wake_generation);
}

void Machine::register_worker(Thread& t) {
  if (t.truth.slot != 0 || t.exiting || t.state == RunState::dead || free_slots_.empty()) return;
  const auto slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot] = &t;
  const std::uint64_t first = rng_.one_in(4) ? rng_.next() >> 1 : t.seen_seq;
  t.seen_seq = first;
  t.runtime = {};
  t.runtime.last_ack_seq = first;
  t.runtime.runtime_priority = MORPHEUS_PRIORITY_DEFAULT;
  t.runtime.escapable = t.consents;
  t.runtime.escalation_policy = t.consents ? 1 + t.index % 3 : t.index % 2;
  t.truth = {};
  t.truth.slot = slot;
  t.truth.state = MORPHEUS_WORKER_REGISTERED;
  t.truth.seq = t.truth.closed_seq = t.truth.withdrawn_seq = first;
  t.truth.run_start = t.truth.turn_start = t.truth.held_since = now();
  programs_add_worker(&t.task, slot, ++generations_[slot], first, &t.kernel, &t.runtime);
}

void Machine::unregister_worker(Thread& t) {
  if (t.truth.slot == 0) return;
  checker_.compare(t);
  programs_remove_worker(&t.task, t.truth.slot);
  auto& ghost =
      cpus_[t.task.thread_info.cpu].ghost_slot;  // keep the first: only a switch clears it
  if (t.state == RunState::running && ghost == 0) ghost = t.truth.slot;
  slots_[t.truth.slot] = nullptr;
  free_slots_.push_back(t.truth.slot);
  t.truth = {};
}

bool Machine::haunted(std::uint32_t slot) const {
  return std::any_of(cpus_.begin(), cpus_.end(),
                     [&](const Cpu& c) { return c.ghost_slot == slot; });
}

void Machine::set_state(Thread& t, std::uint32_t state) {
  t.truth.state = state;
  t.kernel.worker_state = static_cast<__u8>(state);
  programs_set_state(t.truth.slot, state);
}

void Machine::change_tunables() {
  tunables_.slice_ns = rng_.between(1, 20) * kMs;
  tunables_.grace_ns = rng_.between(1, 30) * kMs;
  tunables_.hold_cap_ns = rng_.between(20, 150) * kMs;
  tunables_.hint_lead_ns = rng_.between(0, 3) * kMs;
  tunables_.min_run_ns = rng_.one_in(2) ? 0 : rng_.between(0, 2 * kMs);
  programs_set_tunables(&tunables_);
  checker_.tunables_changed();
}

void Machine::change_affinity(Thread& t) {
  if (t.kind == Kind::higher || t.state == RunState::arriving || t.state == RunState::dead) return;
  const auto last = config_.cpus - 1;
  cpumask mask{0, last};
  if (rng_.one_in(3)) mask.lo = mask.hi = static_cast<std::uint32_t>(rng_.next() % config_.cpus);
  if (mask.lo == t.allowed.lo && mask.hi == t.allowed.hi) return;  // the kernel reports no change
  const auto at = t.task.thread_info.cpu;
  if (t.state == RunState::running && (at < mask.lo || at > mask.hi)) return;
  sim_context.cpu = at;
  if (t.state == RunState::runnable) dequeue(t);
  // For any change of the running thread dequeue_task_scx() calls it no longer runnable.
  if (t.state == RunState::running && t.sched_class == SchedClass::ext)
    morpheus_stopping(&t.task, false);
  const bool counted = t.task.scx.flags & SCX_TASK_QUEUED && t.sched_class == SchedClass::ext;
  if (counted) morpheus_quiescent(&t.task, 0);
  t.allowed = mask;
  t.truth.displaced_at = 0;  // it is enqueued anew
  t.task.nr_cpus_allowed = static_cast<int>(mask.hi - mask.lo + 1);
  if (t.sched_class == SchedClass::ext) morpheus_set_cpumask(&t.task, t.task.cpus_ptr);
  if (counted) morpheus_runnable(&t.task, 0);
  if (t.state == RunState::running && t.sched_class == SchedClass::ext) {
    morpheus_running(&t.task);
    t.truth.turn_start = now();
  }
  if (t.state != RunState::runnable) return;
  if (at < mask.lo || at > mask.hi) {
    t.task.on_rq = 2;  // TASK_ON_RQ_MIGRATING
    migrate(t, mask.lo);
  }
  Cpu& c = cpus_[t.task.thread_info.cpu];
  enqueue(c, t, 0);
  t.task.on_rq = 1;
  if (c.current == nullptr) resched(c, 2 * kUs);
}

void Machine::set_enforced(bool on) {
  switching_ = true;
  if (on) morpheus_init();
}

/// scx_enable() and scx_disable() walk over all threads and change their class.
void Machine::finish_switch() {
  switching_ = false;
  ext_active_ = !ext_active_;
  for (auto& c : cpus_) account(c);
  for (auto& t : threads_) {
    if (t.sched_class == SchedClass::higher || t.state == RunState::dead) continue;
    be_on(cpus_[t.task.thread_info.cpu]);
    if (t.state == RunState::runnable) dequeue(t);
    if (!ext_active_ && t.state == RunState::running) morpheus_stopping(&t.task, false);
    const bool counted = t.task.scx.flags & SCX_TASK_QUEUED;
    if (!ext_active_ && counted) morpheus_quiescent(&t.task, 0);
    Cpu& c = cpus_[t.task.thread_info.cpu];
    t.sched_class = ext_active_ ? SchedClass::ext : SchedClass::fair;
    t.direct = false;
    t.truth.displaced_at = 0;
    t.starve_since = now();
    t.vruntime = c.fair_floor;
    t.task.scx.slice = SCX_SLICE_DFL;
    if (ext_active_) morpheus_enable(&t.task);
    if (ext_active_ && counted) morpheus_runnable(&t.task, 0);
    if (t.state == RunState::runnable) enqueue(c, t, 0);
    if (ext_active_ && t.state == RunState::running) morpheus_running(&t.task);
    t.truth.turn_start = now();
  }
  if (!ext_active_) {
    scx_exit_info info{SCX_EXIT_UNREG, 0, "", "", ""};
    morpheus_exit(&info);
  }
  for (auto& c : cpus_) resched(c, 1 * kUs);
}

void Machine::operate() {
  events_.push(now() + rng_.between(500 * kUs, 3 * kMs), EventType::operate, 0);
  checker_.patrol();
  if (!unregistered_.empty()) {  // a thread is gone: the daemon forgets it, another takes its place
    Thread& gone = *unregistered_.back();
    unregistered_.pop_back();
    if (gone.truth.slot != 0) unregister_worker(gone);
    reborn(gone);
    if (config_.changes || !is_worker_kind(gone.kind) || !config_.programs) return;
    register_worker(gone);
    return set_state(gone, MORPHEUS_WORKER_RUNNING);
  }
  if (!config_.changes || !config_.programs) return;
  if (switching_) return finish_switch();
  Thread& t = threads_[rng_.next() % threads_.size()];
  const auto dice = rng_.next() % 64;
  if (dice == 0 && rng_.one_in(8)) return set_enforced(!ext_active_);
  if (dice == 1) return change_tunables();
  if (dice < 6 && config_.pinned) return change_affinity(t);
  if (!is_worker_kind(t.kind) || t.state == RunState::dead) return;
  if (t.truth.slot == 0) return register_worker(t);
  if (t.truth.state == MORPHEUS_WORKER_REGISTERED || t.truth.state == MORPHEUS_WORKER_QUIESCING)
    return set_state(t, MORPHEUS_WORKER_RUNNING);
  if (dice < 8) return set_state(t, MORPHEUS_WORKER_QUIESCING);
  if (dice < 11) unregister_worker(t);
}

}  // namespace morpheus::sim
