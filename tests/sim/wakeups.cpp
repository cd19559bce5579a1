// SPDX-License-Identifier: GPL-2.0-only
// How a thread wakes: a CPU is chosen for it, and some time later it reaches that CPU's runqueue.
// Another thread may get there in between, as on a real machine that queues wakeups to another CPU.
#include <algorithm>

#include "tests/sim/machine.hpp"

namespace morpheus::sim {
namespace {
constexpr std::uint64_t kFairWakeupLag = 1 * kMs;
constexpr std::uint64_t kFairSleepCredit = 3 * kMs;
}  // namespace

std::uint32_t Machine::fair_cpu(Thread& t) {
  const auto previous = t.task.thread_info.cpu;
  const auto allowed = t.allowed.hi - t.allowed.lo + 1;
  const auto inside = std::clamp(previous, t.allowed.lo, t.allowed.hi);
  if (cpus_[inside].current == nullptr) return inside;
  for (std::uint32_t i = 0; i < std::min(allowed, 16u); ++i) {
    const auto candidate = t.allowed.lo + (inside - t.allowed.lo + i) % allowed;
    if (cpus_[candidate].current == nullptr) return candidate;
  }
  return inside;
}

/// The programs are about to run on this CPU, in the context of the thread there.
void Machine::be_on(Cpu& c) {
  sim_context.cpu = c.id;
  sim_context.current_task = c.current != nullptr ? &c.current->task : &c.idle;
}

void Machine::wake(Thread& t) {
  if (t.state != RunState::sleeping) return;
  Cpu& waker = cpus_[t.rng.one_in(2) ? t.task.thread_info.cpu : t.rng.next() % cpus_.size()];
  account(waker);
  be_on(waker);
  t.state = RunState::arriving;
  t.direct = false;
  std::uint32_t to = t.allowed.lo;
  if (t.allowed.hi != t.allowed.lo) {
    if (t.sched_class == SchedClass::ext) {
      // a workqueue says where it would like its thread: not always where that one slept
      const auto wake_cpu = t.rng.one_in(4) ? t.rng.between(t.allowed.lo, t.allowed.hi)
                                            : std::uint64_t{t.task.thread_info.cpu};
      to = static_cast<std::uint32_t>(
          morpheus_select_cpu(&t.task, static_cast<s32>(wake_cpu), SCX_ENQ_WAKEUP));
    } else
      to = fair_cpu(t);
    if (to < t.allowed.lo || to > t.allowed.hi) to = t.allowed.lo, t.direct = false;
  }
  migrate(t, to);
  if (t.rng.one_in(8))
    events_.push(now() + t.rng.between(1 * kUs, 8 * kUs), EventType::arrive, t.index);
  else
    arrive(t);
}

void Machine::arrive(Thread& t) {
  Cpu& c = cpus_[t.task.thread_info.cpu];
  account(c);
  if (t.rng.one_in(2)) sim_context.cpu = c.id;  // the wakeup was queued to the CPU itself
  Cpu& here = cpus_[sim_context.cpu];
  be_on(here);
  t.state = RunState::runnable;
  t.wait_since = t.woken_at = t.starve_since = now();
  t.task.on_rq = 1;
  t.task.scx.flags |= SCX_TASK_QUEUED;
  ++c.runqueue.nr_running;
  const auto oldest = c.fair_floor - kFairSleepCredit;
  if (static_cast<std::int64_t>(t.vruntime - oldest) < 0) t.vruntime = oldest;
  if (t.sched_class == SchedClass::ext) morpheus_runnable(&t.task, SCX_ENQ_WAKEUP);
  enqueue(c, t, SCX_ENQ_WAKEUP);
  const auto delay = t.rng.between(500, 30 * kUs);
  if (c.current == nullptr ||
      (t.sched_class == SchedClass::higher && c.current->sched_class != SchedClass::higher))
    resched(c, delay);
  else if (t.sched_class == SchedClass::fair && c.current->sched_class == SchedClass::fair &&
           static_cast<std::int64_t>(t.vruntime + kFairWakeupLag - c.current->vruntime) < 0)
    resched(c, delay);
  if (config_.programs) (t.newborn ? on_wakeup_new : on_wakeup)(&t.task);
  t.newborn = false;
  checker_.settled(c);
}

}  // namespace morpheus::sim
