// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/service/metrics.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <array>

#include "daemon/config/names.hpp"
#include "daemon/service/process_usage.hpp"

namespace morpheus::daemon {
namespace {

double seconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e9; }

// Label values come from our own enums and from uname. Quotes and backslashes are unlikely, but
// must not break the format.
std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string label(std::string_view name, std::string_view value) {
  return fmt::format("{{{}=\"{}\"}}", name, escaped(value));
}

class Writer {
 public:
  explicit Writer(Exposition format) : format_(format) {}

  void gauge(const char* name, const char* help) { family(name, "gauge", help); }
  /// Samples end in _total; OpenMetrics leaves that out of the family's name.
  void counter(const char* name, const char* help) {
    family(format_ == Exposition::openmetrics ? std::string(name) : fmt::format("{}_total", name),
           "counter", help);
  }
  /// A counter without labels.
  template <class Value>
  void count(const char* name, const char* help, Value value) {
    counter(name, help);
    sample(fmt::format("{}_total", name), value);
  }
  template <class Value>
  void sample(std::string_view name, Value value, std::string_view labels = "") {
    text_ += fmt::format("{}{} {}\n", name, labels, value);
  }
  void histogram(const char* name, const char* help, const morpheus_time_counts& times) {
    family(name, "histogram", help);
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i <= MORPHEUS_TIME_BOUNDS; ++i) {
      sum += times.counts[i];
      const auto bound = i < MORPHEUS_TIME_BOUNDS
                             ? fmt::format("{}", seconds(morpheus_time_bound(i)))
                             : std::string("+Inf");
      sample(fmt::format("{}_bucket", name), sum, label("le", bound));
    }
    sample(fmt::format("{}_count", name), sum);
    sample(fmt::format("{}_sum", name), seconds(times.sum_ns));
  }
  std::string finish() {
    if (format_ == Exposition::openmetrics) text_ += "# EOF\n";
    return std::move(text_);
  }

 private:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    text_ += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  }
  Exposition format_;
  std::string text_;
};

void add_identity(Writer& out, Core& core) {
  utsname system{};
  ::uname(&system);
  out.gauge("morpheus_build_info", "Always 1; the labels say what is running.");
  out.sample(
      "morpheus_build_info", 1,
      fmt::format("{{version=\"{}\",backend=\"{}\",kernel=\"{}\"}}", MORPHEUS_PROJECT_VERSION,
                  escaped(core.kernel().name()), escaped(system.release)));
  out.gauge("morpheus_uptime_seconds", "Time since the daemon started.");
  out.sample("morpheus_uptime_seconds", seconds(core.uptime_ns()));
}

// By the names that every client library of Prometheus gives them.
void add_process(Writer& out) {
  const auto usage = read_process_usage();
  out.count("process_cpu_seconds", "CPU time of the daemon, user and system.", usage.cpu_seconds);
  const auto gauge = [&](const char* name, const char* help, auto value) {
    out.gauge(name, help);
    out.sample(name, value);
  };
  gauge("process_start_time_seconds", "When the daemon started, since 1970.", usage.started_at);
  gauge("process_resident_memory_bytes", "Memory of the daemon.", usage.resident_bytes);
  gauge("process_virtual_memory_bytes", "Address space of the daemon.", usage.virtual_bytes);
  gauge("process_open_fds", "Open descriptors of the daemon.", usage.open_fds);
  gauge("process_max_fds", "The most descriptors that the daemon may open.", usage.most_fds);
  gauge("process_threads", "Threads of the daemon.", usage.threads);
}

void add_scheduler(Writer& out, const Enforcement& enforcement) {
  const auto report = enforcement.report();
  const bool chosen = enforcement.mode() == Mode::enforced;
  out.gauge("morpheus_mode", "1 for the chosen mode.");
  for (const Mode mode : {Mode::observer, Mode::enforced})
    out.sample("morpheus_mode", enforcement.mode() == mode ? 1 : 0, label("mode", mode_name(mode)));
  out.gauge("morpheus_scheduler_attached", "Whether the kernel runs our sched_ext scheduler.");
  out.sample("morpheus_scheduler_attached", report.attached ? 1 : 0);
  out.gauge("morpheus_degraded", "1 if Enforced mode was chosen and is not in force.");
  out.sample("morpheus_degraded", chosen && !report.attached ? 1 : 0);
  out.gauge("morpheus_enforced_available", "Whether Enforced mode is available on this host.");
  out.sample("morpheus_enforced_available", report.why_not ? 0 : 1);
  out.count("morpheus_ejections", "How often the kernel ejected the scheduler.",
            enforcement.ends().ejections);
  out.count("morpheus_canary_alarms", "How often the canary ended Enforced mode.",
            enforcement.ends().canary_alarms);
}

void add_population(Writer& out, Core& core) {
  std::array<std::uint64_t, MORPHEUS_WORKER_STATE_COUNT> states{};
  for (const auto& [id, client] : core.clients().all())
    for (const auto& [line, worker] : client->workers) ++states.at(worker.state);
  out.gauge("morpheus_clients", "Attached processes.");
  out.sample("morpheus_clients", core.clients().all().size());
  out.gauge("morpheus_workers", "Registered threads, by state.");
  for (std::uint32_t state = 0; state < states.size(); ++state)
    out.sample("morpheus_workers", states[state], label("state", worker_state_name(state)));
}

template <std::size_t N, class Name>
void add_by_reason(Writer& out, const char* name, const std::array<std::uint64_t, N>& counts,
                   Name reason_name) {
  for (std::uint32_t reason = 1; reason < N; ++reason)
    out.sample(fmt::format("{}_total", name), counts[reason], label("reason", reason_name(reason)));
}

void add_counters(Writer& out, const WorkerTotals& totals) {
  out.counter("morpheus_hints", "Hints given to workers, by reason.");
  add_by_reason(out, "morpheus_hints", totals.hints_by_reason, hint_reason_name);
  out.counter("morpheus_blocked", "Escalations that were due and did not happen, by reason.");
  add_by_reason(out, "morpheus_blocked", totals.blocked_by_reason, block_reason_name);
  out.count("morpheus_acknowledged", "Hints that workers acknowledged.", totals.acknowledged);
  out.count("morpheus_withdrawn",
            "Hints taken back because their waiter got a CPU, or because the worker ended.",
            totals.withdrawn);
  out.count("morpheus_lost",
            "Hints whose deadline passed while they were open; each ends in another way, too.",
            totals.lost);
  out.count("morpheus_last_calls", "Open hints that were told again shortly before their deadline.",
            totals.last_calls);
  out.count("morpheus_deferrals", "Slice ends deferred for a critical section or a fresh hint.",
            totals.deferrals);
  out.count("morpheus_overruns", "Deferrals that the hold cap ended.", totals.overruns);
  out.count("morpheus_escalations", "Ignored hints that led to a kick or a throttle.",
            totals.escalations);
  out.count("morpheus_throttles", "Escalations that throttled a control group.", totals.throttles);
  out.count("morpheus_worker_cpu_seconds", "CPU time of all workers.", seconds(totals.cpu_time_ns));
  out.count("morpheus_worker_wait_seconds", "Time that workers were runnable without a CPU.",
            seconds(totals.wait_time_ns));
}

void add_service(Writer& out, Core& core) {
  out.count("morpheus_events_dropped", "Events lost because the ring was full.",
            core.kernel().events_dropped());
  out.count("morpheus_refusals", "Calls and connections that were refused.", core.refusals());
}

void add_pressure(Writer& out, const Pressure& pressure) {
  out.gauge("morpheus_pressure_ratio", "PSI some, average over ten seconds, 0 to 1.");
  out.sample("morpheus_pressure_ratio", pressure.cpu_pct / 100.0, label("resource", "cpu"));
  out.sample("morpheus_pressure_ratio", pressure.io_pct / 100.0, label("resource", "io"));
  out.sample("morpheus_pressure_ratio", pressure.memory_pct / 100.0, label("resource", "memory"));
  out.gauge("morpheus_runnable_threads", "Runnable threads in the system.");
  out.sample("morpheus_runnable_threads", pressure.runqueue_depth);
}

void add_tunables(Writer& out, const morpheus_tunables& tunables) {
  out.gauge("morpheus_tunable_seconds", "The scheduler's times, by name.");
  for (const auto& f : kTunableFields) {
    std::string_view name = f.name;
    name.remove_suffix(3);  // _ns
    out.sample("morpheus_tunable_seconds", seconds(tunables.*f.field), label("name", name));
  }
}

}  // namespace

const char* content_type(Exposition format) {
  return format == Exposition::openmetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

std::string metrics_text(Core& core, Exposition format) {
  core.events().drain();
  Writer out(format);
  add_identity(out, core);
  add_process(out);
  add_scheduler(out, core.enforcement());
  add_population(out, core);
  add_counters(out, core.clients().totals());
  add_service(out, core);
  out.histogram("morpheus_ack_latency_seconds",
                "Time from the decision to hint to the acknowledgement.",
                core.events().ack_times());
  out.histogram("morpheus_wait_seconds", "Time of each wait of a worker for a CPU.",
                core.kernel().wait_times());
  add_pressure(out, core.pressure());
  add_tunables(out, core.tunables());
  return out.finish();
}

}  // namespace morpheus::daemon
