// SPDX-License-Identifier: GPL-2.0-only
// The simulated machine: CPUs with ticks, timers and runqueues, threads that run on them, and
// enough of the kernel's scheduler core to bring the BPF programs into the situations that they
// meet there.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "tests/sim/checker.hpp"
#include "tests/sim/event_queue.hpp"
#include "tests/sim/thread.hpp"

namespace morpheus::sim {

struct Cpu {
  std::uint32_t id = 0;
  rq runqueue{};
  cfs_rq fair_runqueue{};
  task_struct idle{};
  Thread* current = nullptr;   ///< nullptr: idle
  std::deque<Thread*> higher;  ///< waiting, of a higher class
  std::deque<Thread*> local;   ///< sched_ext's local DSQ
  VtimeQueue own;              ///< the programs' DSQ for this CPU
  VtimeQueue fair;
  std::uint64_t fair_floor = 0;  ///< least virtual time in the fair class
  bool idle_flag = true;         ///< in the kernel's mask of idle CPUs
  bool need_resched = false, tick_armed = false;
  std::uint32_t timer_generation = 0, step_generation = 0;
  std::uint64_t preempt_at = 0;  ///< when a timer will take this CPU for a woken thread; 0: none
  std::uint32_t preempt_on = 0;  ///< the CPU where that timer fires
  std::uint32_t ghost_slot = 0;  ///< of the running thread, which was unregistered while it ran
  std::uint64_t idle_since = 0;
  std::uint64_t exec_start = 0;  ///< from when on the current thread must be accounted
};

class Machine {
 public:
  explicit Machine(const Config& config);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Runs for as long as the configuration says. Throws the first Violation.
  void run();

  /// A hash of everything that every thread did, and when.
  [[nodiscard]] std::uint64_t digest() const;
  [[nodiscard]] const Checker& checker() const { return checker_; }
  [[nodiscard]] const std::deque<Thread>& threads() const { return threads_; }
  [[nodiscard]] std::uint64_t now() const { return sim_context.now; }
  [[nodiscard]] bool enforced() const { return ext_active_; }
  [[nodiscard]] const morpheus_tunables& tunables() const { return tunables_; }
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const Cpu& cpu(std::uint32_t id) const { return cpus_[id]; }
  /// Whether the slot was taken from a thread that has not left its CPU since.
  [[nodiscard]] bool haunted(std::uint32_t slot) const;
  /// How many threads could have this CPU and have none.
  [[nodiscard]] std::uint64_t waiting_for(std::uint32_t cpu) const;
  [[nodiscard]] Thread* thread_of_slot(std::uint32_t slot) { return slots_[slot]; }

  // What the kernel offers to the programs; see kfuncs.cpp.
  void* map(void* key, std::size_t value_size, std::size_t entries, std::uint32_t index);
  void start_timer(const bpf_timer* timer, std::uint64_t delay);
  std::int32_t select_idle(task_struct* p, std::int32_t previous, bool* idle);
  void insert(task_struct* p, std::uint64_t dsq, std::uint64_t slice);
  void insert_vtime(task_struct* p, std::uint64_t dsq, std::uint64_t slice, std::uint64_t vtime);
  bool move_to_local(std::uint64_t dsq);
  void fire_elsewhere();
  std::int32_t pick_idle(const cpumask& allowed);
  void kick(std::uint32_t cpu, std::uint64_t flags);
  [[nodiscard]] VtimeQueue* dsq(std::uint64_t id);
  [[nodiscard]] std::int32_t queued(std::uint64_t dsq) const;
  Checker& checker() { return checker_; }

 private:
  // machine.cpp: interrupts
  void handle(const Event& event);
  void tick(Cpu& c);
  void step(Cpu& c);
  void settle(Cpu& c);
  void fire_preempt_timer(std::uint32_t of);
  void resched(Cpu& c, std::uint64_t delay);
  // scheduling.cpp: the scheduler core
  void account(Cpu& c);
  void schedule(Cpu& c, bool preempt, bool runnable);
  Thread* pick(Cpu& c, Thread* prev);
  bool balance(Cpu& c, Thread* prev);
  Thread* pick_fair(Cpu& c, Thread* prev);
  void put_prev(Cpu& c, Thread& prev);
  void set_next(Cpu& c, Thread& next);
  void enqueue(Cpu& c, Thread& t, std::uint64_t flags);
  void dequeue(Thread& t);
  void migrate(Thread& t, std::uint32_t to);
  void give_up(Cpu& c, std::uint64_t sleep);
  // wakeups.cpp
  void be_on(Cpu& c);
  void wake(Thread& t);
  void arrive(Thread& t);
  std::uint32_t fair_cpu(Thread& t);
  // operator.cpp: the daemon and the operator
  void populate();
  void add_thread(Kind kind);
  void reborn(Thread& t);
  void operate();
  void register_worker(Thread& t);
  void unregister_worker(Thread& t);
  void set_state(Thread& t, std::uint32_t state);
  void change_tunables();
  void change_affinity(Thread& t);
  void set_enforced(bool on);
  void finish_switch();

  template <typename Program>
  auto run_program(Cpu& c, Program program) {
    sim_context.cpu = c.id;
    sim_context.current_task = c.current != nullptr ? &c.current->task : &c.idle;
    return program();
  }

  [[nodiscard]] std::uint64_t waiting_in_shared() const;

  Config config_;
  morpheus_tunables tunables_;
  Rng rng_;
  EventQueue events_;
  std::deque<Cpu> cpus_;
  std::deque<Thread> threads_;
  std::vector<Thread*> slots_;
  std::vector<std::uint32_t> free_slots_, generations_;
  std::vector<VtimeQueue> shared_;  ///< one for each LLC
  struct Map {
    void* key;
    std::vector<std::uint64_t> storage;
  };
  std::vector<Map> maps_;
  std::vector<Thread*> unregistered_;
  Thread* in_flight_ = nullptr;  ///< between two CPUs
  std::uint32_t in_flight_to_ = 0;
  bool ext_active_ = false, switching_ = false, stopped_ = false;
  std::int32_t next_pid_ = 100;
  Checker checker_;
};

/// The present machine; the programs know only one.
extern Machine* the_machine;

/// What a thread does when it reaches the end of a stretch: it runs on the CPU at that moment.
struct Next {
  enum Act : std::uint8_t { go_on, yield, sleep, exit } act = go_on;
  std::uint64_t run = 0, sleep_for = 0;
};
Next behave(Thread& t, std::uint64_t now);

}  // namespace morpheus::sim
