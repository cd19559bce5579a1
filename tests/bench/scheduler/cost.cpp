// SPDX-License-Identifier: GPL-2.0-only
// What each callback of the schedulers costs by the kernel's own count, beside a FIFO that does the
// least a scheduler can; and what the observer's programs cost, beside empty ones, also while a
// trace is recorded. All under the same load: threads that send a byte to and fro, and threads that
// burn CPU time, on all CPUs.
#include <memory>
#include <stdexcept>
#include <thread>

#include "tests/bench/scheduler/parts.hpp"
#include "tests/bench/scheduler/program_times.hpp"

namespace morpheus::bench {
namespace {

using test::Load;
using test::Manner;
using test::ThreadSpec;

constexpr double kTimesFifo = 1.3;
// On real CPUs: emulated instructions cost something else.
constexpr double kObserverSwitchNs = 120;
constexpr double kObserverWakeupNs = 150;
constexpr std::chrono::duration<double> kTraceStarts{0.5};

struct Cost {
  ProgramTimes programs;
  double switches = 0;
};

enum class Tracing : bool { off, on };

Cost run_load(const Bench& bench, Subject subject, bool with_workers,
              Tracing tracing = Tracing::off) {
  std::vector<ThreadSpec> threads(4, {.manner = Manner::player});
  threads.resize(threads.size() + Host::cpus(),
                 {.manner = with_workers ? Manner::cooperative : Manner::rival});
  const Load load(bench.host.socket(), Load::kAnyCpu, threads, nullptr);
  if (with_workers) bench.expect_watched(subject, load, Host::cpus());
  std::unique_ptr<TraceRun> trace;
  if (tracing == Tracing::on) {
    trace = bench.host.daemon().trace("/dev/null",
                                      bench.options.seconds / 2 + 2 * kTraceStarts.count());
    std::this_thread::sleep_for(kTraceStarts);
  }
  const auto before = ProgramClock::read();
  const auto switches = context_switches();
  std::this_thread::sleep_for(std::chrono::duration<double>(bench.options.seconds / 2));
  return {difference(before, ProgramClock::read()),
          static_cast<double>(context_switches() - switches)};
}

class CostReporter {
 public:
  explicit CostReporter(SubjectFigures& figures, bool is_emulated)
      : figures_(figures), is_emulated_(is_emulated) {}

  // The callbacks of a scheduler: `prefix` and the callback's name.
  void add_callbacks(Subject subject, const Cost& cost, const std::string& prefix,
                     const std::string& load) {
    double ns = 0;
    for (const auto& [name, time] : cost.programs) {
      if (!name.starts_with(prefix)) continue;
      ns += static_cast<double>(time.ns);
      figures_.add(load + ", " + name.substr(prefix.size()), "ns a call", subject,
                   time.ns_per_call());
    }
    const double each = ns / cost.switches;
    figures_.add(load + ", all callbacks", "ns a switch", subject, each);
    if (subject == Subject::fifo) fifo_ns_[load] = each;
    if (subject == Subject::enforced && fifo_ns_.contains(load))
      figures_.add(load + ", times the FIFO's", "x", subject, each / fifo_ns_[load],
                   at_most(kTimesFifo));
  }

  void add_tracing(Subject subject, const Cost& cost, const std::string& on_switch,
                   const std::string& on_wakeup, const std::string& load,
                   Tracing tracing = Tracing::off) {
    const auto add = [&](const char* what, const std::string& name, double goal) {
      const auto found = cost.programs.find(name);
      if (found == cost.programs.end())
        throw std::runtime_error("cost: " + name + " was never called");
      const bool is_judged =
          subject == Subject::observer && !is_emulated_ && tracing == Tracing::off;
      figures_.add(load + ", tracing program of a " + what, "ns a call", subject,
                   found->second.ns_per_call(),
                   is_judged ? std::optional(at_most(goal)) : std::nullopt);
    };
    add("switch", on_switch, kObserverSwitchNs);
    add("wakeup", on_wakeup, kObserverWakeupNs);
  }

  // The observer adds a wait to its histogram whenever a worker gets a CPU for which it waited.
  void add_counting(const Cost& cost, const std::string& load) {
    figures_.add(load + ", counting a wait", "ns a call", Subject::kernel,
                 cost.programs.at("counting_switch").ns_per_call() -
                     cost.programs.at("empty_switch").ns_per_call());
  }

 private:
  SubjectFigures& figures_;
  bool is_emulated_;
  std::map<std::string, double> fifo_ns_;
};

}  // namespace

void measure_cost(const Bench& bench) {
  const ProgramClock clock;
  CostReporter reporter(bench.figures, bench.host.is_emulated());
  const auto subjects =
      bench.possible({Subject::kernel, Subject::fifo, Subject::observer, Subject::enforced});
  bench.each_round_alone(subjects, [&](Subject subject) {
    for (const bool with_workers : {false, true}) {
      const std::string load = with_workers ? "workers" : "no workers";
      // The rounds of the kernel's own scheduler also measure the empty programs.
      if (subject == Subject::kernel) bench.host.peers().attach_empty();
      const Cost cost = run_load(bench, subject, with_workers);
      bench.host.peers().detach_empty();
      if (!bench.host.is_in_charge()) return;  // the costs would be those of another scheduler
      if (subject == Subject::kernel) {
        reporter.add_tracing(subject, cost, "empty_switch", "empty_wakeup", load);
        reporter.add_counting(cost, load);
      }
      if (subject == Subject::observer)
        reporter.add_tracing(subject, cost, "on_switch", "on_wakeup", load);
      if (subject == Subject::observer && with_workers)
        reporter.add_tracing(subject, run_load(bench, subject, true, Tracing::on), "on_switch",
                             "on_wakeup", "workers, while a trace is recorded", Tracing::on);
      if (needs_sched_ext(subject))
        reporter.add_callbacks(subject, cost, subject == Subject::fifo ? "fifo_" : "morpheus_",
                               load);
    }
  });
}

}  // namespace morpheus::bench
