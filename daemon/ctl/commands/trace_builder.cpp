// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/trace_builder.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "daemon/ctl/console/render.hpp"
#include "daemon/ctl/console/reply.hpp"
#include "proto/monotonic_clock.hpp"

namespace morpheus::ctl {
namespace {

// Above every process id in Linux (PID_MAX_LIMIT is 4194304).
constexpr std::uint64_t kCpuProcess = 5'000'000;

std::uint64_t cpu_track(std::uint64_t cpu) { return kCpuProcess + 1 + cpu; }

// The format's unit is the microsecond; the fraction keeps nanoseconds.
double us(std::uint64_t ns) { return static_cast<double>(ns) / 1000.0; }

// "escalated THREAD_KICK": the type in small letters, and the reason.
std::string instant_name(const Json& event) {
  auto name = text(event, "type");
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto reason = text(event, "reason", "");
  return reason.empty() ? name : name + " " + reason;
}

}  // namespace

void TraceBuilder::introduce(const Json& workers, const Json& clients) {
  std::map<std::uint64_t, std::string> names;
  for (const auto& client : clients) names[number(client, "client_id")] = text(client, "name");
  for (const auto& worker : workers) {
    Track& known = workers_[number(worker, "worker_id")];
    known.pid = number(worker, "pid");
    known.tid = number(worker, "tid");
    known.process = names[number(worker, "client_id")];
  }
}

TraceBuilder::Track& TraceBuilder::worker_of(const Json& event) {
  Track& worker = workers_[number(event, "worker_id")];
  if (worker.tid == 0) worker.tid = number(event, "tid");
  if (worker.pid == 0) worker.pid = worker.tid;  // came and went between two introductions
  return worker;
}

void TraceBuilder::add(const Json& event) {
  const auto time = number(event, "time_ns"), id = number(event, "worker_id");
  const auto type = text(event, "type");
  ++events_;
  if (!first_) first_ = time;
  last_ = std::max(last_, time);
  Track& worker = worker_of(event);
  if (worker.tid == 0) return;  // its thread ended before it was known
  if (type == "RUN") return run(worker, event);
  if (type == "STOP") return stop(worker, id, event);
  if (type == "HINT") {
    end_hint(worker, id, time, "unknown");
    worker.hint_start = worker.hint_base = time;
    worker.hint_reason = text(event, "reason");
    return edge("b", "hint", "hint " + worker.hint_reason, worker, id, time,
                {{"seq", number(event, "seq")}});
  }
  if (type == "THROTTLED") return throttle(worker, id, event);
  if (type == "UNTHROTTLED") return end_throttle(worker, id, time, "over");
  if (type == "DEFERRED") {
    if (!worker.held_since) {
      worker.held_since = time;
      worker.held_why = flag(event, "critical") ? "critical section" : "fresh hint";
    }
    critical(worker, time, flag(event, "critical"));
  }
  // the kernel noticed it at a switch or tick; value_ns is the time from the decision, or from the
  // start of the run, to the acknowledgement itself
  if (type == "ACKNOWLEDGED" && worker.hint_base)
    return end_hint(worker, id, std::min(time, *worker.hint_base + number(event, "value_ns")),
                    "acknowledged");
  if (type == "WITHDRAWN" && worker.hint_start) return end_hint(worker, id, time, "withdrawn");
  instant(worker, instant_name(event), event);
}

void TraceBuilder::lost(std::uint64_t count) {
  // nothing is known about the gap, so no slice may cross it
  for (auto& [id, worker] : workers_) {
    worker.run_start.reset();
    worker.held_since.reset();
  }
  sink_({{"ph", "i"},
         {"s", "g"},
         {"pid", kCpuProcess},
         {"tid", kCpuProcess},
         {"ts", us(last_)},
         {"cat", "morpheus"},
         {"name", std::to_string(count) + " events lost"}});
}

void TraceBuilder::run(Track& worker, const Json& event) {
  const auto time = number(event, "time_ns"), waited = number(event, "value_ns");
  const bool inside = worker.was_critical && flag(event, "critical");
  const auto start = std::max(time - std::min(time, waited), *first_);
  if (waited > 0 && start < time)
    slice(worker.pid, worker.tid, inside ? "waiting inside a critical section" : "waiting", start,
          time, Json::object());
  worker.run_start = time;
  worker.cpu = number(event, "cpu");
  on_cpu_[worker.cpu] = number(event, "worker_id");
  if (worker.hint_base) worker.hint_base = time;
  critical(worker, time, flag(event, "critical"));
}

void TraceBuilder::stop(Track& worker, std::uint64_t id, const Json& event) {
  const auto time = number(event, "time_ns"), ran = number(event, "value_ns");
  const bool runnable = flag(event, "runnable"), is_critical = flag(event, "critical");
  worker.cpu = number(event, "cpu");
  // the run may have begun before the trace did
  const auto start = std::max(worker.run_start.value_or(time - std::min(time, ran)), *first_);
  show_run(worker, id, start, time,
           {{"ended", runnable ? (is_critical ? "lost the CPU inside a critical section"
                                              : "gave way or was preempted")
                               : "slept or blocked"}});
  if (worker.held_since)
    slice(worker.pid, worker.tid, "slice held: " + worker.held_why,
          std::max(start, *worker.held_since), time, Json::object());
  worker.run_start.reset();
  worker.held_since.reset();
  critical(worker, time, is_critical);
}

void TraceBuilder::show_run(const Track& worker, std::uint64_t id, std::uint64_t start,
                            std::uint64_t end, Json args) {
  if (end <= start) return;
  cpus_.insert(worker.cpu);
  args["worker_id"] = id;
  args["tid"] = worker.tid;
  slice(kCpuProcess, cpu_track(worker.cpu), worker.process + " " + std::to_string(worker.tid),
        start, end, args);
  args["cpu"] = worker.cpu;
  slice(worker.pid, worker.tid, "running", start, end, std::move(args));
}

void TraceBuilder::end_hint(Track& worker, std::uint64_t id, std::uint64_t end, const char* how) {
  if (!worker.hint_start) return;
  edge("e", "hint", "hint " + worker.hint_reason, worker, id, std::max(end, *worker.hint_start),
       {{"ended", how}});
  worker.hint_start.reset();
  worker.hint_base.reset();
}

void TraceBuilder::throttle(Track& worker, std::uint64_t id, const Json& event) {
  const auto time = number(event, "time_ns");
  if (!worker.throttled_since) {
    worker.throttled_since = time;
    edge("b", "throttle", "throttled", worker, id, time, Json::object());
  }
  worker.throttled_until = time + number(event, "value_ns");
}

void TraceBuilder::end_throttle(Track& worker, std::uint64_t id, std::uint64_t end,
                                const char* how) {
  if (!worker.throttled_since) return;
  edge("e", "throttle", "throttled", worker, id, std::max(end, *worker.throttled_since),
       {{"ended", how}});
  worker.throttled_since.reset();
}

void TraceBuilder::slice(std::uint64_t pid, std::uint64_t tid, const std::string& name,
                         std::uint64_t start, std::uint64_t end, Json args) {
  Json event{{"ph", "X"},  {"cat", "morpheus"}, {"name", name},          {"pid", pid},
             {"tid", tid}, {"ts", us(start)},   {"dur", us(end - start)}};
  if (!args.empty()) event["args"] = std::move(args);
  sink_(event);
}

void TraceBuilder::instant(const Track& worker, const std::string& name, const Json& event) {
  sink_({{"ph", "i"},
         {"s", "t"},
         {"cat", "morpheus"},
         {"name", name},
         {"pid", worker.pid},
         {"tid", worker.tid},
         {"ts", us(number(event, "time_ns"))},
         {"args",
          {{"seq", number(event, "seq")},
           {"cpu", number(event, "cpu")},
           {"value_ns", number(event, "value_ns")}}}});
}

void TraceBuilder::edge(const char* phase, const char* category, const std::string& name,
                        const Track& worker, std::uint64_t id, std::uint64_t time, Json args) {
  sink_({{"ph", phase},
         {"cat", category},
         {"name", name},
         {"id", std::to_string(id)},
         {"pid", worker.pid},
         {"tid", worker.tid},
         {"ts", us(time)},
         {"args", std::move(args)}});
}

void TraceBuilder::critical(Track& worker, std::uint64_t time, bool is_critical) {
  if (std::exchange(worker.was_critical, is_critical) == is_critical) return;
  sink_({{"ph", "C"},
         {"cat", "morpheus"},
         {"name", "critical section " + std::to_string(worker.tid)},
         {"pid", worker.pid},
         {"tid", worker.tid},
         {"ts", us(time)},
         {"args", {{"inside", is_critical ? 1 : 0}}}});
}

void TraceBuilder::name_track(const char* what, std::uint64_t pid, std::uint64_t tid,
                              const std::string& name) {
  sink_({{"ph", "M"}, {"name", what}, {"pid", pid}, {"tid", tid}, {"args", {{"name", name}}}});
}

void TraceBuilder::show_time_of_day() {
  constexpr std::uint64_t kLengthOfSecond = std::string_view("12:00:00").size();
  if (!first_) return;
  const auto end = last_ + to_realtime_ns_;
  for (auto from = *first_ + to_realtime_ns_; from < end;) {
    const auto until = std::min(end, from - from % kSecond + kSecond);
    slice(kCpuProcess, kCpuProcess, time_of_day(from).substr(0, kLengthOfSecond),
          from - to_realtime_ns_, until - to_realtime_ns_, Json::object());
    from = until;
  }
  name_track("thread_name", kCpuProcess, kCpuProcess, "time of day");
}

void TraceBuilder::finish() {
  show_time_of_day();
  std::set<std::uint64_t> processes;
  for (auto& [id, worker] : workers_) {
    if (worker.tid == 0) continue;
    // some kernels do not report every switch: a worker whose CPU went to another runs no more
    if (worker.run_start && on_cpu_[worker.cpu] == id)
      show_run(worker, id, *worker.run_start, last_, {{"ended", "still running"}});
    end_hint(worker, id, last_, "still open");
    // the event of its end may have been lost
    end_throttle(worker, id, std::min(last_, worker.throttled_until), "still open");
    if (processes.insert(worker.pid).second)
      name_track("process_name", worker.pid, worker.pid, worker.process);
    name_track("thread_name", worker.pid, worker.tid, "worker " + std::to_string(id));
  }
  name_track("process_name", kCpuProcess, kCpuProcess, "CPUs");
  for (const auto cpu : cpus_)
    name_track("thread_name", kCpuProcess, cpu_track(cpu), "CPU " + std::to_string(cpu));
}

}  // namespace morpheus::ctl
