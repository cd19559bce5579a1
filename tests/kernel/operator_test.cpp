// SPDX-License-Identifier: GPL-2.0-only
// The operator's tool on a real kernel: the walk that a new operator takes, recorded step by step,
// and the content of a trace. Effects are taken from /proc and from the witness.
#include <signal.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <iostream>
#include <sstream>

#include "tests/kernel/crowd.hpp"
#include "tests/kernel/machine.hpp"
#include "tests/programs/trace_check.hpp"
#include "walk.hpp"

using namespace morpheus::test;

namespace {

constexpr ThreadSpec kCritical{.manner = Manner::critical};

/// A line for a shell, in which morpheusctl talks to this daemon.
Finished run_line(const DaemonProcess& daemon, const std::string& line,
                  const std::string& directory) {
  return run_program({"/bin/sh", "-c",
                      "morpheusctl() { " + program("daemon/ctl/morpheusctl") + " --socket " +
                          daemon.socket() + " \"$@\"; }\ncd " + directory + "\n" + line});
}

void show(const std::string& line, const Finished& ended) {
  std::cout << "$ " << line << "\n" << ended.out << ended.err;
  if (ended.status != 0) std::cout << "[exit status " << ended.status << "]\n";
  std::cout << std::endl;
}

/// The same; prints what the operator sees.
Finished types(const DaemonProcess& daemon, const std::string& line,
               const std::string& directory = "/") {
  auto ended = run_line(daemon, line, directory);
  show(line, ended);
  return ended;
}

/// What a command prints for another program.
Json answer(const DaemonProcess& daemon, const std::string& line) {
  const auto ended = run_line(daemon, line + " --json", "/");
  REQUIRE(ended.status == 0);
  return parse_json(ended.out);
}

/// The same; meanwhile the operator types it, too, and what he sees is printed.
Json asks(const DaemonProcess& daemon, const std::string& line) {
  const TempDir desk;
  const auto ended = run_line(daemon, line + " --json >answer & " + line + "; wait $!", desk.path);
  show(line, ended);
  REQUIRE(ended.status == 0);
  return read_json(desk.path + "/answer");
}

/// The operator of docs/walk.md: types its commands, one after the other, and no others.
class Walk {
 public:
  explicit Walk(const DaemonProcess& daemon) : daemon_(daemon) {
    std::istringstream document(kWalk);
    bool in_block = false;
    for (std::string line; std::getline(document, line);) {
      if (line.starts_with("```"))
        in_block = line == "```sh walk";
      else if (in_block)
        lines_.push_back(line);
    }
  }
  /// The next command, which is about `what`. It succeeds.
  Finished step(const std::string& what) {
    auto ended = types(daemon_, next(what), desk_.path);
    CHECK(ended.status == 0);
    return ended;
  }
  /// The same for a command whose output another program reads.
  Json ask(const std::string& what) { return asks(daemon_, next(what)); }
  /// Asks until the answer is as wanted: rare events need more than one look.
  template <class Condition>
  Json ask_until(const std::string& what, Condition is_wanted) {
    const auto line = next(what);
    Json answer;
    REQUIRE(eventually([&] { return is_wanted(answer = asks(daemon_, line)); }));
    return answer;
  }
  /// A file that a command has written.
  [[nodiscard]] std::string file(const std::string& name) const { return desk_.path + "/" + name; }
  [[nodiscard]] bool is_over() const { return next_ == lines_.size(); }

 private:
  std::string next(const std::string& what) {
    REQUIRE(next_ < lines_.size());
    const auto& line = lines_[next_++];
    INFO("the document says: " << line);
    REQUIRE(line.starts_with("morpheusctl " + what));
    return line;
  }
  const DaemonProcess& daemon_;
  TempDir desk_;
  std::vector<std::string> lines_;
  std::size_t next_ = 0;
};

Json row_of(const Json& top, pid_t tid) {
  for (const auto& row : top["workers"])
    if (row["tid"] == tid) return row;
  FAIL("no row of thread " << tid);
  return {};
}

Json read_trace(const std::string& path) {
  auto trace = read_json(path);
  CHECK(faults_of_trace(trace) == std::vector<std::string>{});
  return trace;
}

/// Records with morpheusctl and reads the file.
Json trace_of(const DaemonProcess& daemon, const std::string& seconds) {
  const TempDir dir;
  const auto path = dir.path + "/trace.json";
  REQUIRE(types(daemon, "morpheusctl trace --seconds " + seconds + " -o " + path).status == 0);
  return read_trace(path);
}

std::vector<Json> of(const Json& trace, pid_t tid, const std::string& phase,
                     const std::string& name) {
  std::vector<Json> found;
  for (const auto& event : trace["traceEvents"])
    if (event["tid"] == tid && event["ph"] == phase &&
        event["name"].get<std::string>().starts_with(name))
      found.push_back(event);
  return found;
}

double milliseconds(const std::vector<Json>& slices) {
  double sum = 0;
  for (const auto& slice : slices) sum += slice["dur"].get<double>() / 1000;
  return sum;
}

std::size_t ended(const std::vector<Json>& hints, const std::string& how) {
  return static_cast<std::size_t>(
      std::ranges::count_if(hints, [&](const Json& hint) { return hint["args"]["ended"] == how; }));
}

}  // namespace

TEST_CASE("walk: find the worker in the way, explain it, enforce, see the effect, go back") {
  need_sched_ext();
  const auto& daemon = observing_daemon();
  Crowd load(daemon, {kDeaf, kWorker, kSleeper}, &witness());
  Walk walk(daemon);

  CHECK(walk.step("doctor").out.find("ok      sched_ext") != std::string::npos);
  CHECK(walk.step("status").out.find("mode         observer") != std::string::npos);

  // which worker is in the way? the one that is hinted and does not acknowledge
  const auto noisy = load.tid(0), polite = load.tid(1);
  const auto top = walk.ask_until("top", [&](const Json& seen) {
    return row_of(seen, noisy)["hints_per_s"] > 1.0 &&
           row_of(seen, polite)["acknowledged_per_s"] > 1.0;
  });
  CHECK(row_of(top, noisy)["acknowledged_per_s"] == 0.0);
  CHECK(row_of(top, noisy)["cpu_pct"] > 5.0);

  // why? it is hinted, and the hints end without an acknowledgement
  std::size_t hinted = 0, acknowledged = 0;
  const auto happened = walk.ask("events");
  for (const auto& event : happened["events"]) {
    if (event["tid"] != noisy) continue;
    hinted += event["type"] == "HINT" ? 1 : 0;
    acknowledged += event["type"] == "ACKNOWLEDGED" ? 1 : 0;
  }
  CHECK(hinted > 0);
  CHECK(acknowledged == 0);
  walk.step("trace");
  const auto observed = read_trace(walk.file("trace.json"));
  CHECK(ended(of(observed, polite, "e", "hint"), "acknowledged") > 0);
  CHECK(ended(of(observed, noisy, "e", "hint"), "acknowledged") == 0);
  CHECK(of(observed, noisy, "i", "escalated").empty());

  // so let the kernel take the CPU from it
  walk.step("workers");
  walk.step("tunables set");
  walk.step("mode enforced");
  CHECK(sched_ext_ops() == "morpheus");
  REQUIRE(eventually([&] { return witness().count(0).kicked > 3; }));
  walk.ask_until("top",
                 [&](const Json& seen) { return row_of(seen, noisy)["escalations_per_s"] > 0.0; });
  CHECK(witness().count(1).kicked == 0);
  CHECK(walk.ask("stats")["counters"]["escalations"] > 3);
  walk.step("trace");
  CHECK_FALSE(
      of(read_trace(walk.file("escalations.json")), noisy, "i", "escalated THREAD_KICK").empty());

  // and back
  walk.step("mode observer");
  CHECK(sched_ext_state() == "disabled");
  const auto kicked = witness().count(0).kicked;
  CHECK(row_of(walk.ask("top"), noisy)["escalations_per_s"] == 0.0);
  CHECK(witness().count(0).kicked == kicked);
  CHECK(walk.is_over());
}

TEST_CASE("observer: a trace's runs are what /proc counts, and cost nothing when nobody traces",
          "[observer]") {
  const auto& daemon = observing_daemon();
  Crowd load(daemon, {kWorker, kWorker, kSleeper}, &witness());
  REQUIRE(eventually([&] { return worker(daemon, load.tid(0))["acknowledged"] > 0; }));
  const auto before = load.seen(0).cpu_ns;
  const auto began = std::chrono::steady_clock::now();
  const auto trace = trace_of(daemon, "3");
  const auto counted_ms = static_cast<double>(load.seen(0).cpu_ns - before) / 1e6;
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - began;
  const auto runs = of(trace, load.tid(0), "X", "running");
  REQUIRE(runs.size() > 10);
  // /proc counted also while morpheusctl started and ended: compare shares
  if (trace["otherData"]["events_lost"] == 0) {
    const double traced = milliseconds(runs) / 3000, counted = counted_ms / passed.count();
    CHECK(traced < counted * 1.6);  // a trace tells wall time, of which a crowded host takes some
    CHECK(traced > counted * 0.7);
  }
  for (const auto& run : runs) CHECK(run["args"]["cpu"] == crowded_cpu());
  CHECK_FALSE(of(trace, load.tid(0), "X", "waiting").empty());
  CHECK_FALSE(of(trace, load.tid(0), "b", "hint PRESSURE").empty());
  CHECK(std::ranges::any_of(of(trace, load.tid(0), "e", "hint PRESSURE"), [](const Json& end) {
    return end["args"]["ended"] == "acknowledged";
  }));
  // a subscriber that only follows hints gets no runs
  const auto happened = answer(daemon, "morpheusctl events --count 200 --timeout 20");
  REQUIRE(happened["events"].size() == 200);
  for (const auto& event : happened["events"]) {
    CHECK(event["type"] != "RUN");
    CHECK(event["type"] != "STOP");
  }
  const auto waits = answer(daemon, "morpheusctl stats")["wait"]["counts"];
  CHECK(std::ranges::any_of(waits, [](const Json& count) { return count > 0; }));
}

TEST_CASE("enforced: a trace shows critical sections that hold the CPU, and for how long") {
  const auto& daemon = enforcing_daemon();
  set_tunables_ms(daemon, 20, 20, 200);
  Crowd load(daemon, {kCritical, kRival}, &witness());
  REQUIRE(eventually([&] { return worker(daemon, load.tid(0))["overruns"] > 0; }));
  const auto trace = trace_of(daemon, "3");
  CHECK_FALSE(of(trace, load.tid(0), "i", "deferred").empty());
  CHECK_FALSE(of(trace, load.tid(0), "i", "overrun").empty());
  CHECK_FALSE(of(trace, load.tid(0), "X", "slice held: critical section").empty());
  CHECK_FALSE(of(trace, load.tid(0), "X", "waiting inside a critical section").empty());
}

TEST_CASE("observer: top says which threads run, wait, are critical or asleep", "[observer]") {
  const auto& daemon = observing_daemon();
  const Crowd load(daemon, {kWorker, kCritical}, &witness());
  const auto doing = [&](std::size_t thread) {
    const auto top = parse_json(daemon.ctl({"top", "-d", "0.1", "--json"}).out);
    return row_of(top, load.tid(thread))["doing"].get<std::string>();
  };
  // the two share a CPU
  for (const char* seen : {"running", "waiting"})
    CHECK(eventually([&] { return doing(0) == seen; }));
  CHECK(doing(1) == "critical");
  REQUIRE(::kill(load.pid(), SIGSTOP) == 0);
  for (const std::size_t thread : {0, 1})
    CHECK(eventually([&] { return doing(thread) == "asleep"; }));
  REQUIRE(::kill(load.pid(), SIGCONT) == 0);
  CHECK(eventually([&] { return doing(1) == "critical"; }));
}
