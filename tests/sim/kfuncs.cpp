// SPDX-License-Identifier: GPL-2.0-only
// What the programs call: helpers, and the kernel functions of sched_ext.
#include <algorithm>
#include <utility>

#include "tests/sim/machine.hpp"

namespace morpheus::sim {

void* Machine::map(void* key, std::size_t value_size, std::size_t entries, std::uint32_t index) {
  auto found = std::find_if(maps_.begin(), maps_.end(), [&](const Map& m) { return m.key == key; });
  if (found == maps_.end())
    found = maps_.insert(maps_.end(), {key, std::vector<std::uint64_t>(value_size * entries / 8)});
  if (index >= entries) return nullptr;
  return reinterpret_cast<char*>(found->storage.data()) + value_size * index;
}

/// Pinned: fires on this CPU.
void Machine::start_timer(const bpf_timer* timer, std::uint64_t delay) {
  Cpu& c = cpus_[sim_context.cpu];
  if (const auto of = programs_cpu_of_preempt_timer(timer); of >= 0) {
    auto& preempted = cpus_[static_cast<std::uint32_t>(of)];
    preempted.preempt_at = now() + delay;
    preempted.preempt_on = c.id;
    return events_.push(preempted.preempt_at, EventType::preempt, c.id, preempted.id);
  }
  events_.push(now() + delay, EventType::timer, c.id, ++c.timer_generation);
}

/// A program on this CPU holds a runqueue's lock and has raised flags for what it is about to do.
/// Meanwhile programs that need no lock run on other CPUs: timers that are due before this program
/// would end.
void Machine::fire_elsewhere() {
  constexpr auto kCallback = 5 * kUs;
  const auto here = sim_context;
  for (auto& c : cpus_)
    if (c.preempt_at != 0 && c.preempt_at <= now() + kCallback && c.preempt_on != here.cpu)
      fire_preempt_timer(c.id);
  sim_context = here;
}

VtimeQueue* Machine::dsq(std::uint64_t id) {
  if (id < cpus_.size()) return &cpus_[id].own;
  return (id & SCX_DSQ_FLAG_BUILTIN) == 0 ? &shared_[id & (MORPHEUS_MAX_LLCS - 1)] : nullptr;
}

std::int32_t Machine::queued(std::uint64_t id) const {
  if (id == SCX_DSQ_LOCAL) return static_cast<std::int32_t>(cpus_[sim_context.cpu].local.size());
  if ((id & SCX_DSQ_LOCAL_ON) == SCX_DSQ_LOCAL_ON)
    return static_cast<std::int32_t>(cpus_[id & SCX_DSQ_LOCAL_CPU_MASK].local.size());
  return static_cast<std::int32_t>(const_cast<Machine*>(this)->dsq(id)->size());
}

std::int32_t Machine::select_idle(task_struct* p, std::int32_t previous, bool* idle) {
  const auto& allowed = *p->cpus_ptr;
  const auto at = static_cast<std::uint32_t>(previous);
  const auto claim = [&](std::uint32_t cpu) {
    *idle = cpus_[cpu].idle_flag;
    cpus_[cpu].idle_flag = false;
    return *idle;
  };
  *idle = false;
  if (at >= allowed.lo && at <= allowed.hi && claim(at)) return previous;
  for (auto cpu = allowed.lo; cpu <= allowed.hi; ++cpu)
    if (claim(cpu)) return static_cast<std::int32_t>(cpu);
  return at >= allowed.lo && at <= allowed.hi ? previous : static_cast<std::int32_t>(allowed.lo);
}

void Machine::insert(task_struct* p, std::uint64_t id, std::uint64_t slice) {
  auto& t = *static_cast<Thread*>(p->owner);
  if (id != SCX_DSQ_LOCAL)
    checker_.fail("kfunc", t, "insertion into a DSQ that the simulator does not know");
  p->scx.slice = slice != 0 ? slice : 1;
  t.direct = true;
}

void Machine::insert_vtime(task_struct* p, std::uint64_t id, std::uint64_t slice,
                           std::uint64_t vtime) {
  fire_elsewhere();
  auto& t = *static_cast<Thread*>(p->owner);
  p->scx.slice = slice != 0 ? slice : 1;
  p->scx.dsq_vtime = vtime;
  t.place = Place::dsq;
  t.queue = dsq(id);
  t.entry = t.queue->insert(vtime, &t);
}

bool Machine::move_to_local(std::uint64_t id) {
  Cpu& c = cpus_[sim_context.cpu];
  for (const auto& entry : *dsq(id)) {
    Thread& t = *entry.thread;
    if (c.id < t.allowed.lo || c.id > t.allowed.hi) continue;
    dequeue(t);
    migrate(t, c.id);
    t.place = Place::local;
    c.local.push_back(&t);
    return true;
  }
  return false;
}

std::int32_t Machine::pick_idle(const cpumask& allowed) {
  for (auto cpu = allowed.lo; cpu <= allowed.hi; ++cpu)
    if (std::exchange(cpus_[cpu].idle_flag, false)) return static_cast<std::int32_t>(cpu);
  return -1;
}

void Machine::kick(std::uint32_t cpu, std::uint64_t flags) {
  const auto type = flags & SCX_KICK_IDLE ? EventType::kick_idle : EventType::kick;
  events_.push(now() + rng_.between(1 * kUs, 20 * kUs), type, cpu);
}

}  // namespace morpheus::sim

using morpheus::sim::the_machine;

extern "C" {

struct sim_context sim_context;

void* sim_map_lookup(void* map, size_t value_size, size_t entries, __u32 key) {
  return the_machine->map(map, value_size, entries, key);
}
long sim_timer_start(struct bpf_timer* timer, __u64 delay, __u64) {
  the_machine->start_timer(timer, delay);
  return 0;
}
long sim_event(const struct morpheus_event* event) {
  the_machine->checker().event(*event);
  return 0;
}
void sim_hint_decided(__u32 slot, __u32 waiters, bool contended, __u32 reason) {
  the_machine->checker().hint_decided(slot, waiters, contended, reason);
}
void sim_slice_decided(__u32 slot, const struct policy_claims* claims, bool contended,
                       __u32 verdict) {
  the_machine->checker().slice_decided(slot, *claims, contended, verdict);
}
void sim_stay_decided(__u32 slot) { the_machine->checker().stay_decided(slot); }

void sim_gate_decided(__u32 slot, const struct policy_claims* claims, __u32 block) {
  the_machine->checker().gate_decided(slot, *claims, block);
}

struct task_struct* bpf_task_acquire(struct task_struct* p) {
  ++p->usage;
  return p;
}
void bpf_task_release(struct task_struct* p) { --p->usage; }
void bpf_rcu_read_lock(void) {}
void bpf_rcu_read_unlock(void) {}
bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask* mask) {
  return cpu >= mask->lo && cpu <= mask->hi;
}
u32 bpf_cpumask_first(const struct cpumask* mask) { return mask->lo; }

s32 scx_bpf_create_dsq(u64, s32) { return 0; }
s32 scx_bpf_select_cpu_dfl(struct task_struct* p, s32 prev_cpu, u64, bool* is_idle) {
  return the_machine->select_idle(p, prev_cpu, is_idle);
}
s32 scx_bpf_dsq_nr_queued(u64 dsq_id) { return the_machine->queued(dsq_id); }
s32 scx_bpf_task_cpu(const struct task_struct* p) { return static_cast<s32>(p->thread_info.cpu); }
s32 scx_bpf_pick_idle_cpu(const struct cpumask* allowed, u64) {
  return the_machine->pick_idle(*allowed);
}
void scx_bpf_kick_cpu(s32 cpu, u64 flags) { the_machine->kick(static_cast<u32>(cpu), flags); }
void scx_bpf_dump_bstr(char*, unsigned long long*, u32) {}
void scx_bpf_dsq_insert(struct task_struct* p, u64 dsq_id, u64 slice, u64) {
  the_machine->insert(p, dsq_id, slice);
}
void scx_bpf_dsq_insert_vtime(struct task_struct* p, u64 dsq_id, u64 slice, u64 vtime, u64) {
  the_machine->insert_vtime(p, dsq_id, slice, vtime);
}
bool scx_bpf_dsq_move_to_local(u64 dsq_id) { return the_machine->move_to_local(dsq_id); }

int bpf_iter_scx_dsq_new(struct bpf_iter_scx_dsq* it, u64 dsq_id, u64 flags) {
  it->opaque[0] = dsq_id;
  it->opaque[1] = 0;  // how many were handed out
  it->opaque[2] = flags;
  return 0;
}
struct task_struct* bpf_iter_scx_dsq_next(struct bpf_iter_scx_dsq* it) {
  const auto* queue = the_machine->dsq(it->opaque[0]);
  if (it->opaque[1] >= queue->size()) return nullptr;
  constexpr std::uint64_t kFromTheEnd = 1 << 16;  // SCX_DSQ_ITER_REV
  const auto handed_out = it->opaque[1]++;
  const auto at =
      std::next(queue->begin(), static_cast<std::ptrdiff_t>((it->opaque[2] & kFromTheEnd) != 0
                                                                ? queue->size() - 1 - handed_out
                                                                : handed_out));
  return &at->thread->task;
}
void bpf_iter_scx_dsq_destroy(struct bpf_iter_scx_dsq*) {}
}
