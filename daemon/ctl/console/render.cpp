// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/console/render.hpp"

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/ctl/console/columns.hpp"
#include "daemon/ctl/console/reply.hpp"

namespace morpheus::ctl {
namespace {

std::string three_digits(double value) {
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 99.95) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

/// In the user's time zone.
tm local_time(std::uint64_t realtime_ns) {
  const auto seconds = static_cast<time_t>(realtime_ns / 1'000'000'000);
  tm local{};
  ::localtime_r(&seconds, &local);
  return local;
}

std::string restart_text(const Json& scheduler) {
  const auto ejections = number(scheduler, "ejections");
  if (ejections == 0) return {};
  const char* next = scheduler.contains("restart_at_ns") ? "it is attached again soon"
                     : scheduler.value("gave_up", false) ? "given up"
                                                         : "not attached again";
  return fmt::format(" (ejected {}x, {}; see morpheusctl last-exit)", ejections, next);
}

// Each hint ends in one of two ways, or is open yet.
std::string hints_text(const Json& counters) {
  const auto given = number(counters, "hints"), acknowledged = number(counters, "acknowledged"),
             withdrawn = number(counters, "withdrawn"), ended = acknowledged + withdrawn;
  return fmt::format("{}: {} acknowledged, {} withdrawn, {} open; {} of them late",
                     short_count(given), short_count(acknowledged), short_count(withdrawn),
                     short_count(given > ended ? given - ended : 0),
                     short_count(number(counters, "lost")));
}

std::string scheduler_line(const Json& status, const Palette& palette) {
  const Json& scheduler = member(status, "scheduler");
  if (is_degraded(status))
    return palette.bad("not in force") + ": " + last_exit(status) + restart_text(scheduler);
  if (scheduler.value("attached", false)) return palette.good("attached");
  if (scheduler.contains("why_not")) return "not available: " + text(scheduler, "why_not");
  return "not attached, available";
}

}  // namespace

bool is_degraded(const Json& status) {
  return text(status, "mode") == "enforced" &&
         !member(status, "scheduler").value("attached", false);
}

std::string last_exit(const Json& status) {
  return text(member(status, "scheduler"), "last_exit", "no reason given");
}

std::string short_count(std::uint64_t count) {
  if (count < 10'000) return std::to_string(count);
  auto value = static_cast<double>(count);
  for (const char* unit : {"k", "M", "G", "T", "P"}) {
    value /= 1000;
    if (value < 999.5) return three_digits(value) + unit;
  }
  return three_digits(value / 1000) + "E";
}

std::string short_time(std::uint64_t nanoseconds) {
  if (nanoseconds < 1000) return std::to_string(nanoseconds) + " ns";
  const auto value = static_cast<double>(nanoseconds);
  if (value < 999.5e3) return three_digits(value / 1e3) + " us";
  if (value < 999.5e6) return three_digits(value / 1e6) + " ms";
  return three_digits(value / 1e9) + " s";
}

std::string render_status(const Json& status, const Palette& palette) {
  const Json& counters = member(status, "counters");
  const Json& latency = member(status, "ack_latency");
  const Json& pressure = member(status, "pressure");
  std::string out;
  const auto line = [&](const char* key, const std::string& value) {
    out += fmt::format("{:<12} {}\n", key, value);
  };
  line("mode", palette.bold(text(status, "mode")) +
                   (text(status, "scope") == "workers" ? ", of workers only" : ""));
  line("scheduler", scheduler_line(status, palette));
  line("daemon", fmt::format("{}, up {}, backend {}, kernel {}", text(status, "version"),
                             short_time(number(status, "uptime_ns")), text(status, "backend"),
                             text(status, "kernel")));
  line("clients",
       fmt::format("{}, {} workers", number(status, "clients"), number(status, "workers")));
  line("hints", hints_text(counters));
  line("escalations", fmt::format("{}, {} blocked, {} deferrals, {} overruns",
                                  short_count(number(counters, "escalations")),
                                  short_count(number(counters, "blocked")),
                                  short_count(number(counters, "deferrals")),
                                  short_count(number(counters, "overruns"))));
  line("ack latency",
       fmt::format("p50 {}, p99 {}, max {}", short_time(number(latency, "p50_ns")),
                   short_time(number(latency, "p99_ns")), short_time(number(latency, "max_ns"))));
  line("pressure", fmt::format("cpu {} %, io {} %, memory {} %, {} runnable",
                               number(pressure, "cpu_pct"), number(pressure, "io_pct"),
                               number(pressure, "memory_pct"), number(pressure, "runqueue_depth")));
  if (const auto dropped = number(counters, "events_dropped"); dropped > 0)
    line("events", palette.bad(fmt::format("{} dropped", dropped)));
  return out;
}

std::string render_workers(const Json& workers, const Palette& palette) {
  // WITHDRAWN reaches over the blank before LOST's numbers: 100 columns are just enough
  constexpr auto kHead = "{:>7} {:>7} {:>7} {:<10} {:>4} {:>5} {:>5} {:>9} {:>4} {:>9} {:>7} {}";
  constexpr auto kRow = "{:>7} {:>7} {:>7} {:<10} {:>4} {:>5} {:>5} {:>8} {:>5} {:>9} {:>7} {}";
  std::string out =
      palette.bold(fmt::format(kHead, "WORKER", "PID", "TID", "STATE", "CPU", "HINTS", "ACKED",
                               "WITHDRAWN", "LOST", "ESCALATED", "BLOCKED", "POLICY"));
  out += '\n';
  for (const auto& worker : workers) {
    out += fmt::format(
        kRow, number(worker, "worker_id"), number(worker, "pid"), number(worker, "tid"),
        text(worker, "state"), number(worker, "cpu"), short_count(number(worker, "hints")),
        short_count(number(worker, "acknowledged")), short_count(number(worker, "withdrawn")),
        short_count(number(worker, "lost")), short_count(number(worker, "escalations")),
        short_count(sum_of(member(worker, "blocked"))), text(worker, "policy"));
    out += '\n';
  }
  return out;
}

std::string render_clients(const Json& clients, const Palette& palette) {
  constexpr auto kRow = "{:>7} {:>7} {:>10} {:>8} {:>8} {}";
  std::string out =
      palette.bold(fmt::format(kRow, "CLIENT", "PID", "UID", "WORKERS", "CAPACITY", "NAME"));
  out += '\n';
  for (const auto& client : clients) {
    out +=
        fmt::format(kRow, number(client, "client_id"), number(client, "pid"), number(client, "uid"),
                    number(client, "workers"), number(client, "capacity"), text(client, "name"));
    out += '\n';
  }
  return out;
}

std::string render_last_exit(const Json& exit, std::uint64_t now_ns) {
  const std::string cause = text(exit, "cause", "NONE");
  if (cause == "NONE") return "the kernel has not ended the scheduler\n";
  const std::string message = text(exit, "message", ""), dump = text(exit, "dump", "");
  const auto then = number(exit, "time_ns");
  return fmt::format(
      "{} at {:%F %T}, {} ago: {} (code {:#x})\n{}{}{}{}", cause,
      local_time(number(exit, "realtime_ns")), short_time(now_ns > then ? now_ns - then : 0),
      text(exit, "reason"), static_cast<std::uint64_t>(exit.value("code", std::int64_t{0})),
      message, message.empty() ? "" : "\n", dump, dump.empty() || dump.back() == '\n' ? "" : "\n");
}

std::string thread_title(const std::string& process, const std::string& thread) {
  return process == thread ? process : process + "/" + thread;
}

std::string render_tunables(const Json& tunables) {
  std::string out;
  for (const auto& [name, value] : tunables.items())
    if (value.is_number_unsigned())
      out += fmt::format("{:<14} {:>13}  ({})\n", name, value.get<std::uint64_t>(),
                         short_time(value.get<std::uint64_t>()));
  return out;
}

namespace {

constexpr std::size_t kEventName = 22;
constexpr auto kEventRow = "{:<15} {:<12} {:>7} {:>7} {} {:>4} {:>7} {:>8} {}";

void add_reasons(std::string& out, const char* title, const Json& counts) {
  for (const auto& [reason, count] : counts.items())
    if (count.is_number_unsigned())
      out += fmt::format("{:<12} {:<14} {:>9}\n", std::exchange(title, ""), reason,
                         short_count(count.get<std::uint64_t>()));
}

// The rows from the first to the last count that is not 0, each with a bar for its share.
void add_histogram(std::string& out, const char* title, const Json& histogram) {
  constexpr std::uint64_t kWidth = 40;
  const auto counts = histogram.value("counts", std::vector<std::uint64_t>{});
  const auto bounds = histogram.value("bounds_ns", std::vector<std::uint64_t>{});
  const auto is_some = [](std::uint64_t count) { return count > 0; };
  const auto first = std::ranges::find_if(counts, is_some);
  std::uint64_t all = 0, most = 1;
  for (const auto count : counts) all += count, most = std::max(most, count);
  out += fmt::format("\n{}: {}, mean {}\n", title, short_count(all),
                     short_time(all == 0 ? 0 : number(histogram, "sum_ns") / all));
  auto last = counts.size();
  while (last > 0 && counts[last - 1] == 0) --last;
  for (auto i = static_cast<std::size_t>(first - counts.begin()); i < last; ++i)
    out += fmt::format("  {} {:>8} {:>6} {}\n", i < bounds.size() ? "up to" : " over",
                       short_time(bounds.empty() ? 0 : bounds[std::min(i, bounds.size() - 1)]),
                       short_count(counts[i]),
                       std::string((counts[i] * kWidth + most - 1) / most, '#'));
}

}  // namespace

std::string time_of_day(std::uint64_t realtime_ns) {
  return fmt::format("{:%T}.{:06}", local_time(realtime_ns), realtime_ns / 1000 % 1'000'000);
}

std::string render_statistics(const Json& statistics) {
  std::string out = "hints " + hints_text(member(statistics, "counters")) + "\n\n";
  for (const auto& [name, count] : member(statistics, "counters").items())
    if (count.is_number_unsigned())
      out += fmt::format("{:<27} {:>9}\n", name, short_count(count.get<std::uint64_t>()));
  add_reasons(out, "hints by", member(statistics, "hints_by_reason"));
  add_reasons(out, "blocked by", member(statistics, "blocked_by_reason"));
  add_histogram(out, "decision to acknowledgement", member(statistics, "ack_latency"));
  add_histogram(out, "workers' waits for a CPU", member(statistics, "wait"));
  return out;
}

std::string event_header(const Palette& palette) {
  return palette.bold(fmt::format(kEventRow, "TIME", "TYPE", "WORKER", "TID",
                                  padded("PROCESS/THREAD", kEventName), "CPU", "SEQ", "TOOK",
                                  "REASON")) +
         "\n";
}

std::string render_event(const Json& event) {
  const auto took = number(event, "value_ns");
  const auto process = text(event, "process"), thread = text(event, "thread", "");
  const auto name = thread.empty() ? process : thread_title(process, thread);
  return fmt::format(kEventRow, time_of_day(number(event, "realtime_ns")), text(event, "type"),
                     number(event, "worker_id"), number(event, "tid"), padded(name, kEventName),
                     number(event, "cpu"), number(event, "seq"), took == 0 ? "-" : short_time(took),
                     text(event, "reason", "")) +
         "\n";
}

}  // namespace morpheus::ctl
