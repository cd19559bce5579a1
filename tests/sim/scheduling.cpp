// SPDX-License-Identifier: GPL-2.0-only
// The scheduler core, after kernel/sched/core.c and ext.c of Linux 6.12 to 6.18: in which order a
// switch calls the programs, when a thread keeps its CPU without a call, and where a thread goes
// that lost it. The fair class is a stand-in: virtual time, wakeup preemption and idle balancing,
// no more.
#include <algorithm>

#include "tests/sim/machine.hpp"

namespace morpheus::sim {

std::uint64_t Machine::waiting_in_shared() const {
  std::uint64_t sum = 0;
  for (const auto& queue : shared_) sum += queue.size();
  return sum;
}

std::uint64_t Machine::waiting_for(std::uint32_t cpu) const {
  const Cpu& c = cpus_[cpu];
  std::uint64_t waiting =
      c.runqueue.nr_running -
      (c.current != nullptr && (c.current->task.scx.flags & SCX_TASK_QUEUED) ? 1 : 0);
  if (in_flight_ != nullptr && in_flight_to_ == cpu) ++waiting;
  return ext_active_ ? waiting + waiting_in_shared() : waiting;
}

void Machine::account(Cpu& c) {
  const auto ran = now() - c.exec_start;
  c.exec_start = now();
  Thread* t = c.current;
  if (t == nullptr || ran == 0) return;
  t->total_ran += ran;
  t->truth.ran_ns += ran;
  t->task.se.sum_exec_runtime += ran;
  t->step_left -= std::min(ran, t->step_left);
  if (t->sched_class == SchedClass::ext)
    t->task.scx.slice -= std::min<std::uint64_t>(ran, t->task.scx.slice);
  if (t->sched_class != SchedClass::fair) return;
  t->vruntime += ran;
  if (static_cast<std::int64_t>(t->vruntime - c.fair_floor) > 0) c.fair_floor = t->vruntime;
}

/// balance_one(): true if `prev` keeps the CPU.
bool Machine::balance(Cpu& c, Thread* prev) {
  if (prev != nullptr && prev->task.scx.slice > 0) return true;
  if (!c.local.empty()) return false;
  run_program(c, [&] { morpheus_dispatch(static_cast<s32>(c.id), prev ? &prev->task : nullptr); });
  if (prev != nullptr && prev->task.scx.slice > 0) return true;
  return c.local.empty() && prev != nullptr;
}

Thread* Machine::pick_fair(Cpu& c, Thread* prev) {
  if (c.fair.empty() && prev == nullptr)
    for (int tries = 0; tries < 8 && c.fair.empty(); ++tries) {
      Cpu& from = cpus_[rng_.next() % cpus_.size()];
      for (const auto& entry : from.fair) {
        Thread& t = *entry.thread;
        if (c.id < t.allowed.lo || c.id > t.allowed.hi) continue;
        dequeue(t);
        migrate(t, c.id);
        t.vruntime = c.fair_floor;
        enqueue(c, t, 0);
        break;
      }
    }
  if (c.fair.empty()) return prev;
  const auto first = c.fair.begin();
  if (prev != nullptr && static_cast<std::int64_t>(prev->vruntime - first->vtime) <= 0) return prev;
  return first->thread;
}

Thread* Machine::pick(Cpu& c, Thread* prev) {
  Thread* ext_prev = prev != nullptr && prev->sched_class == SchedClass::ext ? prev : nullptr;
  if (prev != nullptr && prev->sched_class == SchedClass::higher) return prev;
  bool keep = false;
  if (ext_active_ && (ext_prev != nullptr || c.higher.empty())) keep = balance(c, ext_prev);
  if (!c.higher.empty()) return c.higher.front();
  if (!ext_active_) return pick_fair(c, prev);
  if (!keep) return c.local.empty() ? nullptr : c.local.front();
  if (prev->task.scx.slice == 0) prev->task.scx.slice = SCX_SLICE_DFL;
  return prev;
}

void Machine::put_prev(Cpu& c, Thread& prev) {
  prev.state = RunState::runnable;
  prev.wait_since = prev.starve_since = now();
  if (prev.sched_class != SchedClass::ext) return enqueue(c, prev, 0);
  run_program(c, [&] { morpheus_stopping(&prev.task, true); });
  if (prev.task.scx.slice > 0) {  // a higher class took the CPU: first in line
    prev.place = Place::local;
    c.local.push_front(&prev);
  } else {
    enqueue(c, prev, 0);
  }
}

void Machine::set_next(Cpu& c, Thread& next) {
  if (next.place != Place::nowhere) dequeue(next);
  next.state = RunState::running;
  next.truth.waited_ns += now() - next.wait_since;
  checker_.starts(next, now() - next.wait_since);
  if (next.sched_class == SchedClass::ext) run_program(c, [&] { morpheus_running(&next.task); });
}

/// Puts a runnable thread into the queue where it waits; do_enqueue_task() for sched_ext.
void Machine::enqueue(Cpu& c, Thread& t, std::uint64_t flags) {
  if (t.sched_class == SchedClass::higher) {
    t.place = Place::higher;
    c.higher.push_back(&t);
  } else if (t.sched_class == SchedClass::fair) {
    t.place = Place::fair;
    t.queue = &c.fair;
    t.entry = c.fair.insert(t.vruntime, &t);
  } else if (t.exiting || t.direct) {
    if (!t.direct) t.task.scx.slice = SCX_SLICE_DFL;
    t.direct = false;
    t.place = Place::local;
    c.local.push_back(&t);
  } else {
    // not run_program(): in a wakeup this is the waker's CPU
    morpheus_enqueue(&t.task, flags);
    if (t.place == Place::nowhere)
      checker_.fail("enqueue", t, "ops.enqueue put the thread nowhere");
  }
}

void Machine::dequeue(Thread& t) {
  Cpu& c = cpus_[t.task.thread_info.cpu];
  switch (t.place) {
    case Place::local:
      std::erase(c.local, &t);
      break;
    case Place::higher:
      std::erase(c.higher, &t);
      break;
    case Place::dsq:
    case Place::fair:
      t.queue->erase(t.entry);
      break;
    case Place::nowhere:
      break;
  }
  t.place = Place::nowhere;
}

/// set_task_cpu(), for a thread in no queue; if it is runnable, its runqueue counts it.
void Machine::migrate(Thread& t, std::uint32_t to) {
  const auto from = t.task.thread_info.cpu;
  if (from == to) return;
  const bool counted = t.task.scx.flags & SCX_TASK_QUEUED;
  if (counted) --cpus_[from].runqueue.nr_running;
  in_flight_ = counted ? &t : nullptr;
  in_flight_to_ = to;
  if (config_.programs) on_migrate(&t.task, static_cast<int>(to));
  in_flight_ = nullptr;
  t.task.thread_info.cpu = to;
  t.task.se.cfs_rq = &cpus_[to].fair_runqueue;
  if (counted) ++cpus_[to].runqueue.nr_running;
}

void Machine::schedule(Cpu& c, bool preempt, bool runnable) {
  c.need_resched = false;
  account(c);
  Thread* prev = c.current;
  sim_context.cpu = c.id;
  sim_context.current_task = prev != nullptr ? &prev->task : &c.idle;
  if (prev != nullptr && !runnable) {
    if (prev->sched_class == SchedClass::ext) {
      morpheus_stopping(&prev->task, false);
      morpheus_quiescent(&prev->task, 0);
    }
    prev->task.scx.flags &= ~SCX_TASK_QUEUED;
    prev->task.on_rq = 0;
    --c.runqueue.nr_running;
  }
  Thread* next = pick(c, runnable ? prev : nullptr);
  if (next == prev && runnable) return;
  if (next == nullptr && prev == nullptr) {
    c.idle_flag = true;  // another CPU was faster: this one idles anew
    return;
  }
  if (prev != nullptr && runnable) {
    if (preempt && next != nullptr) checker_.loses(*prev, *next);
    put_prev(c, *prev);
  }
  if (next != nullptr) set_next(c, *next);
  c.current = next;
  c.ghost_slot = 0;
  c.idle_flag = next == nullptr;
  c.idle_since = now();
  if (next != nullptr) next->task.on_cpu = 1;
  if (config_.programs)
    on_switch(preempt, prev != nullptr ? &prev->task : &c.idle,
              next != nullptr ? &next->task : &c.idle, runnable ? 0 : 1);
  if (prev != nullptr && prev != next) prev->task.on_cpu = 0;
  c.exec_start = now();
  ++c.step_generation;
  if (next == nullptr) return;
  events_.push(now() + next->step_left, EventType::step, c.id, c.step_generation);
  if (c.tick_armed) return;
  c.tick_armed = true;
  const auto phase = c.id * 37 * kUs % kTick;
  events_.push((now() - phase) / kTick * kTick + kTick + phase, EventType::tick, c.id);
}

}  // namespace morpheus::sim
