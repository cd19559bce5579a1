// SPDX-License-Identifier: GPL-2.0-only
// The clock of the simulated machine: its events, most of which are interrupts.
#include "tests/sim/machine.hpp"

#include <stdexcept>

namespace morpheus::sim {

Machine* the_machine = nullptr;

Machine::Machine(const Config& config)
    : config_(config), tunables_(config.tunables), rng_(config.seed), checker_(*this) {
  if (the_machine != nullptr) throw std::logic_error("the programs know only one machine");
  the_machine = this;
  sim_context = {};
  sim_context.now = kSecond + kTick;  // 0 means "never" in the records
  cpus_.resize(config.cpus);
  for (std::uint32_t id = 0; auto& c : cpus_) {
    c.id = id++;
    c.fair_runqueue.rq = &c.runqueue;
    c.idle.thread_info.cpu = c.id;
    c.idle.se.cfs_rq = &c.fair_runqueue;
    c.idle.flags = 0x00200000;  // PF_KTHREAD
  }
  shared_.resize(config.llcs);
  programs_reset(static_cast<__s32>(config.cpus), config.llcs, &tunables_);
  slots_.resize(programs_max_workers());
  populate();
}

Machine::~Machine() { the_machine = nullptr; }

void Machine::run() {
  const auto end = config_.horizon_ns == ~0ull ? ~0ull : kSecond + config_.horizon_ns;
  while (!events_.empty() && checker_.figures().decisions < config_.decisions) {
    const Event event = events_.pop();
    if (event.time > end) break;
    sim_context.now = event.time;
    ++checker_.figures().events;
    handle(event);
  }
  for (auto& c : cpus_) account(c);
  checker_.finish();
}

std::uint64_t Machine::digest() const {
  std::uint64_t all = 0;
  for (const auto& t : threads_) all = Rng(all ^ t.digest).next();
  return all;
}

void Machine::handle(const Event& event) {
  switch (event.type) {
    case EventType::wake:
      if (auto& t = threads_[event.target]; t.wake_generation == event.generation) wake(t);
      return;
    case EventType::arrive:
      return arrive(threads_[event.target]);
    case EventType::operate:
      return operate();
    default:
      break;
  }
  Cpu& c = cpus_[event.target];
  account(c);
  switch (event.type) {
    case EventType::tick:
      tick(c);
      break;
    case EventType::timer:
      if (event.generation == c.timer_generation) run_program(c, [&] { programs_timer(c.id); });
      break;
    case EventType::preempt:
      if (cpus_[event.generation].preempt_at == event.time) fire_preempt_timer(event.generation);
      break;
    case EventType::step:
      if (event.generation == c.step_generation && c.current != nullptr) step(c);
      break;
    case EventType::kick_idle:
      if (c.current == nullptr) c.need_resched = true;
      break;
    case EventType::kick:
      if (c.current != nullptr && c.current->sched_class == SchedClass::ext)
        c.current->task.scx.slice = 0;
      c.need_resched = true;
      break;
    default:
      c.need_resched = true;
  }
  settle(c);
}

void Machine::settle(Cpu& c) {
  if (c.need_resched) schedule(c, true, c.current != nullptr);
  checker_.settled(c);
}

void Machine::fire_preempt_timer(std::uint32_t of) {
  cpus_[of].preempt_at = 0;
  run_program(cpus_[cpus_[of].preempt_on], [&] { programs_preempt_timer(of); });
}

void Machine::resched(Cpu& c, std::uint64_t delay) {
  events_.push(now() + delay, EventType::resched, c.id);
}

void Machine::tick(Cpu& c) {
  c.tick_armed = c.current != nullptr;
  if (!c.tick_armed) return;
  events_.push(now() + kTick, EventType::tick, c.id);
  Thread& t = *c.current;
  if (t.sched_class == SchedClass::ext) {
    run_program(c, [&] { morpheus_tick(&t.task); });
    c.need_resched |= t.task.scx.slice == 0;
  } else if (t.sched_class == SchedClass::fair) {
    c.need_resched |= !c.fair.empty();
  }
}

void Machine::step(Cpu& c) {
  Thread& t = *c.current;
  const Next next = behave(t, now());
  t.step_left = next.run;
  t.digest = Rng(t.digest ^ now() ^ next.act).next();
  switch (next.act) {
    case Next::go_on:
      ++c.step_generation;
      events_.push(now() + next.run, EventType::step, c.id, c.step_generation);
      return;
    case Next::yield:
      checker_.yields(t);
      if (t.sched_class == SchedClass::ext)
        run_program(c, [&] { morpheus_yield(&t.task, nullptr); });
      else
        t.vruntime += 3 * kMs;
      ++c.step_generation;
      events_.push(now() + next.run, EventType::step, c.id, c.step_generation);
      return schedule(c, false, true);
    case Next::sleep:
      return give_up(c, next.sleep_for);
    case Next::exit:
      if (t.exiting) return give_up(c, 0);
      t.exiting = true;
      t.task.flags |= 0x4;  // PF_EXITING
      if (config_.programs) run_program(c, [&] { on_exit_program(&t.task); });
      checker_.exits(t);
      ++c.step_generation;
      events_.push(now() + next.run, EventType::step, c.id, c.step_generation);
  }
}

/// The current thread sleeps or, if it was exiting, is gone.
void Machine::give_up(Cpu& c, std::uint64_t sleep) {
  Thread& t = *c.current;
  const bool gone = t.exiting && sleep == 0;
  t.state = gone ? RunState::dead : RunState::sleeping;
  schedule(c, false, false);
  if (gone) unregistered_.push_back(&t);
  if (!gone) events_.push(now() + sleep, EventType::wake, t.index, ++t.wake_generation);
}

}  // namespace morpheus::sim
