// SPDX-License-Identifier: GPL-2.0-only
// The operator's tool on a real kernel: the walk that a new operator takes, recorded step by step, and
// what a trace holds. Effects are taken from /proc and from the witness.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <fstream>
#include <iostream>

#include "tests/programs/load.hpp"
#include "tests/kernel/machine.hpp"
#include "tests/programs/trace_check.hpp"

using namespace morpheus::test;

namespace {

Witness& witness() {
  static auto started = Witness::start();
  REQUIRE(started);
  return **started;
}

constexpr ThreadSpec kWorker{.manner = Manner::cooperative};
constexpr ThreadSpec kDeaf{.manner = Manner::deaf, .escapable = true};
constexpr ThreadSpec kCritical{.manner = Manner::critical};
constexpr ThreadSpec kSleeper{.manner = Manner::sleeper};
constexpr ThreadSpec kRival{.manner = Manner::rival};

/// Runs morpheusctl and writes down what the operator sees.
class Operator {
 public:
  explicit Operator(const DaemonProcess& daemon) : daemon_(daemon) {}

  Finished types(const std::vector<std::string>& words) const {
    auto ended = daemon_.ctl(words);
    std::cout << "$ morpheusctl";
    for (const auto& word : words) std::cout << ' ' << word;
    std::cout << '\n' << ended.out << ended.err;
    if (ended.status != 0) std::cout << "[exit status " << ended.status << "]\n";
    std::cout << std::endl;
    return ended;
  }
  /// The answer of the same command with --json.
  Json asks(std::vector<std::string> words) const {
    types(words);
    words.push_back("--json");
    const auto ended = daemon_.ctl(words);
    REQUIRE(ended.status == 0);
    return Json::parse(ended.out);
  }

 private:
  const DaemonProcess& daemon_;
};

Json row_of(const Json& top, pid_t tid) {
  for (const auto& row : top["workers"])
    if (row["tid"] == tid) return row;
  FAIL("no row of thread " << tid);
  return {};
}

/// Records with morpheusctl and reads the file.
Json trace_of(const Operator& op, const std::string& seconds) {
  const TempDir dir;
  const auto ended = op.types({"trace", "--seconds", seconds, "-o", dir.path + "/trace.json"});
  REQUIRE(ended.status == 0);
  std::ifstream file(dir.path + "/trace.json");
  auto trace = Json::parse(file);
  CHECK(faults_of_trace(trace) == std::vector<std::string>{});
  return trace;
}

std::vector<Json> of(const Json& trace, pid_t tid, const std::string& phase, const std::string& name) {
  std::vector<Json> found;
  for (const auto& event : trace["traceEvents"])
    if (event["tid"] == tid && event["ph"] == phase && event["name"].get<std::string>().starts_with(name))
      found.push_back(event);
  return found;
}

double milliseconds(const std::vector<Json>& slices) {
  double sum = 0;
  for (const auto& slice : slices) sum += slice["dur"].get<double>() / 1000;
  return sum;
}

std::size_t ended(const std::vector<Json>& hints, const std::string& how) {
  return static_cast<std::size_t>(std::ranges::count_if(hints, [&](const Json& hint) { return hint["args"]["ended"] == how; }));
}

}  // namespace

TEST_CASE("walk: find the worker in the way, explain it, enforce, see the effect, go back") {
  need_sched_ext();
  DaemonProcess daemon(Backend::bpf);
  Load load(daemon.socket(), crowded_cpu(), {kDeaf, kWorker, kSleeper}, &witness());
  const Operator op(daemon);

  CHECK(op.types({"doctor"}).out.find("ok      sched_ext") != std::string::npos);
  CHECK(op.types({"status"}).out.find("mode         observer") != std::string::npos);
  CHECK(op.asks({"clients"})["clients"][0]["library"] == op.asks({"status"})["version"]);

  // who is in the way? the one that is asked and does not answer
  const auto noisy = load.tid(0), polite = load.tid(1);
  Json top;
  REQUIRE(eventually([&] {
    top = op.asks({"top", "-d", "2", "--sort", "cpu"});
    return row_of(top, noisy)["hints_per_s"] > 1.0 && row_of(top, polite)["acks_per_s"] > 1.0;
  }));
  CHECK(row_of(top, noisy)["acks_per_s"] == 0.0);
  CHECK(row_of(top, noisy)["cpu_pct"] > 5.0);

  // why? it is hinted, and the hints end without an answer
  std::size_t asked = 0, answered = 0;
  const auto happened = op.asks({"events", "--count", "300", "--timeout", "20"});
  for (const auto& event : happened["events"]) {
    if (event["tid"] != noisy) continue;
    asked += event["type"] == "HINT" ? 1 : 0;
    answered += event["type"] == "ACK" ? 1 : 0;
  }
  CHECK(asked > 0);
  CHECK(answered == 0);
  const auto observed = trace_of(op, "2");
  CHECK(ended(of(observed, polite, "e", "hint"), "acknowledged") > 0);
  CHECK(ended(of(observed, noisy, "e", "hint"), "acknowledged") == 0);
  CHECK(of(observed, noisy, "i", "kick").empty());

  // so let the kernel take the CPU from it
  REQUIRE(op.types({"tunables", "set", "slice=20ms", "grace=20ms", "hold_cap=200ms",
                    "min_run=19ms"}).status == 0);  // asked late in its slice, so that the slice's end does not come first
  CHECK(op.types({"mode", "enforced"}).status == 0);
  CHECK(sched_ext_ops() == "morpheus");
  REQUIRE(eventually([&] { return witness().count(0).kicked > 3; }));
  REQUIRE(eventually([&] { return row_of(op.asks({"top", "-d", "2", "-s", "kicks"}), noisy)["kicks_per_s"] > 0.0; }));
  CHECK(witness().count(1).kicked == 0);
  CHECK_FALSE(of(trace_of(op, "3"), noisy, "i", "kick THREAD_KICK").empty());
  CHECK(op.asks({"stats"})["counters"]["escalations"] > 3);

  // and back
  CHECK(op.types({"mode", "observer"}).status == 0);
  CHECK(sched_ext_state() == "disabled");
  const auto kicked = witness().count(0).kicked;
  CHECK(row_of(op.asks({"top", "-d", "2"}), noisy)["kicks_per_s"] == 0.0);
  CHECK(witness().count(0).kicked == kicked);
}

TEST_CASE("observer: a trace's runs are what /proc counts, and cost nothing when nobody traces", "[observer]") {
  need_bpf();
  DaemonProcess daemon(Backend::bpf);
  Load load(daemon.socket(), crowded_cpu(), {kWorker, kWorker, kSleeper}, &witness());
  const Operator op(daemon);
  REQUIRE(eventually([&] { return worker(daemon, load.tid(0))["acks"] > 0; }));
  const auto before = load.seen(0).cpu_ns;
  const auto began = std::chrono::steady_clock::now();
  const auto trace = trace_of(op, "3");
  const auto counted_ms = static_cast<double>(load.seen(0).cpu_ns - before) / 1e6;
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - began;
  const auto runs = of(trace, load.tid(0), "X", "running");
  REQUIRE(runs.size() > 10);
  // the start and end of morpheusctl lie within what /proc counted: compare shares
  if (trace["otherData"]["events_lost"] == 0) {
    const double traced = milliseconds(runs) / 3000, counted = counted_ms / passed.count();
    CHECK(traced < counted * 1.3);
    CHECK(traced > counted * 0.7);
  }
  for (const auto& run : runs) CHECK(run["args"]["cpu"] == crowded_cpu());
  CHECK_FALSE(of(trace, load.tid(0), "X", "waiting").empty());
  CHECK_FALSE(of(trace, load.tid(0), "b", "hint PRESSURE").empty());
  CHECK_FALSE(of(trace, load.tid(0), "i", "acknowledged").empty());
  // whoever only follows hints gets no runs
  const auto happened = op.asks({"events", "--count", "200", "--timeout", "20"});
  REQUIRE(happened["events"].size() == 200);
  for (const auto& event : happened["events"]) {
    CHECK(event["type"] != "RUN");
    CHECK(event["type"] != "STOP");
  }
  const auto waits = op.asks({"stats"})["wait"]["counts"];
  CHECK(std::ranges::any_of(waits, [](const Json& count) { return count > 0; }));
}

TEST_CASE("enforced: a trace shows critical sections that hold the CPU, and for how long") {
  need_sched_ext();
  DaemonProcess daemon(Backend::bpf);
  set_tunables_ms(daemon, 20, 20, 200);
  set_mode(daemon, "enforced");
  Load load(daemon.socket(), crowded_cpu(), {kCritical, kRival}, &witness());
  const Operator op(daemon);
  REQUIRE(eventually([&] { return worker(daemon, load.tid(0))["overruns"] > 0; }));
  const auto trace = trace_of(op, "3");
  CHECK_FALSE(of(trace, load.tid(0), "i", "deferred").empty());
  CHECK_FALSE(of(trace, load.tid(0), "i", "overrun").empty());
  CHECK_FALSE(of(trace, load.tid(0), "X", "slice held: critical section").empty());
  CHECK_FALSE(of(trace, load.tid(0), "X", "waiting inside a critical section").empty());
}
