// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl against the real daemon: output and exit statuses.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "proto/unique_fd.hpp"
#include "tests/programs/daemon_process.hpp"
#include "tests/programs/trace_check.hpp"

using namespace morpheus::test;

namespace {

bool is_one_line(const std::string& text) {
  return text.starts_with("morpheusctl: ") && text.find('\n') == text.size() - 1;
}

/// The verbs that --help lists, with what they need to be right.
std::vector<std::vector<std::string>> right_uses() {
  const std::map<std::string, std::vector<std::string>> needed{
      {"trace", {"--seconds", "0.1", "-o", "/dev/null"}},
      {"report", {"--seconds", "0.1", "-o", "/dev/null"}},
      {"completion", {"bash"}},
      {"events", {"--count", "1", "--timeout", "0.1"}}};
  std::istringstream help(run_program({program("daemon/ctl/morpheusctl"), "--help"}).out);
  std::vector<std::vector<std::string>> verbs;
  bool listed = false;
  for (std::string line; std::getline(help, line) && !line.starts_with("Exit status");) {
    std::string verb;
    if (listed && line.starts_with("  ") && std::istringstream(line) >> verb) {
      verbs.push_back({verb});
      if (const auto more = needed.find(verb); more != needed.end())
        verbs.back().insert(verbs.back().end(), more->second.begin(), more->second.end());
    }
    listed = listed || line.find("ubcommands:") != std::string::npos;
  }
  return verbs;
}

// Wrong arguments, and what the message must name.
const std::vector<std::pair<std::vector<std::string>, std::string>> kWrongUses{
    {{}, "subcommand is required"},
    {{"fly"}, "fly"},
    {{"status", "now"}, "now"},
    {{"status", "--jsn"}, "--jsn"},
    {{"clients", "all"}, "all"},
    {{"workers", "--sort", "cpu"}, "--sort"},
    {{"stats", "-v"}, "-v"},
    {{"metrics", "x"}, "x"},
    {{"mode", "loud"}, "observer,enforced"},
    {{"mode", "observer", "enforced"}, "enforced"},
    {{"tunables", "put"}, "put"},
    {{"tunables", "set"}, "assignments is required"},
    {{"tunables", "set", "slice"}, "slice=5ms"},
    {{"tunables", "set", "slice=5 parsecs"}, "slice=5ms"},
    {{"tunables", "set", "slise=5ms"}, "no tunable slise_ns"},
    {{"tunables", "set", "slice=1ns"}, "slice_ns must be from 100000"},
    {{"events", "--count", "many"}, "--count"},
    {{"events", "--follow", "--count", "3"}, "--count"},
    {{"events", "--timeout", "-1"}, "--timeout"},
    {{"top", "--sort", "beauty"}, "cpu,wait"},
    {{"top", "-n", "0"}, "--iterations"},
    {{"top", "-d", "0"}, "--interval"},
    {{"trace"}, "--output is required"},
    {{"report"}, "--output is required"},
    {{"report", "--seconds", "601", "-o", "/dev/null"}, "--seconds"},
    {{"trace", "--seconds", "0", "-o", "/dev/null"}, "--seconds"},
    {{"doctor", "who"}, "who"},
    {{"dump", "--output"}, "--output"},
    {{"completion"}, "shell is required"},
    {{"completion", "csh"}, "bash,zsh,fish"},
    {{"mode", ""}, "observer,enforced"},
    {{"mode", "OBSERVER"}, "observer,enforced"},
    {{"tunables", "get", "slice"}, "slice"},
    {{"tunables", "set", "=5ms"}, "slice=5ms"},
    {{"tunables", "set", "slice="}, "slice=5ms"},
    {{"tunables", "set", "slice=-5ms"}, "slice=5ms"},
    {{"tunables", "set", "slice=99999999999s"}, "slice=5ms"},
    {{"tunables", "set", "slice=5ms", "slice_ns=6ms"}, "second value"},
    {{"events", "--count", "0"}, "--count"},
    {{"tunables", "set", "hold_cap=1ms"}, "hold_cap_ns"},
    {{"events", "--count", "-1"}, "--count"},
    {{"events", "--count"}, "--count"},
    {{"events", "--timeout", "soon"}, "--timeout"},
    {{"events", "--timeout", "nan"}, "not nan"},
    {{"events", "--type", "RUN"}, "WITHDRAWN"},
    {{"events", "--worker", "x"}, "--worker"},
    {{"events", "--pid", "-1"}, "--pid"},
    {{"top", "-d", "1e400"}, "from 0.1 to 60, not 1e400"},
    {{"trace", "--seconds", "inf", "-o", "/dev/null"}, "not inf"},
    {{"trace", "--seconds", std::string(400, '9'), "-o", "/dev/null"}, "not 99999999999999999999;"},
    {{"events", "--count", "nan"}, "a whole number from 1 to 1000000000, not nan;"},
    {{"events", "--count", "1e400"}, "not 1e400;"},
    {{"events", "--count", "1000000001"}, "not 1000000001;"},
    {{"events", "--timeout", "inf"}, "from 0 to 1000000, not inf;"},
    {{"events", "--worker", std::string(400, '9')}, "to 4294967295, not 99999999999999999999;"},
    {{"events", "--pid", "4194305"}, "from 1 to 4194304, not 4194305;"},
    {{"events", "--pid", "1.5"}, "not 1.5;"},
    {{"blame", "--pid", "0"}, "from 1 to 4194304, not 0;"},
    {{"blame", "--worker", "nan"}, "not nan;"},
    {{"blame", "--seconds", "1e9"}, "from 0.1 to 3600, not 1e9;"},
    {{"top", "-n", std::string(400, '9')}, "to 1000000000, not 99999999999999999999;"},
    {{"top", "-n", "-1"}, "--iterations"},
    {{"top", "-d", "61"}, "--interval"},
    {{"top", "-d", "slow"}, "--interval"},
    {{"trace", "-o"}, "--output"},
    {{"trace", "--seconds", "3601", "-o", "/dev/null"}, "--seconds"},
    {{"trace", "--seconds", "long", "-o", "/dev/null"}, "--seconds"},
    {{"--socket"}, "--socket"},
    {{"status", "clients"}, "clients"},
};

}  // namespace

TEST_CASE("status and lists, for people and for programs") {
  const DaemonProcess daemon;
  Attached a(daemon);
  const int slot = a.register_thread(::gettid());
  a.run(slot);
  CHECK(daemon.ctl({"status"}).out.find("observer") != std::string::npos);
  const auto status = parse_json(daemon.ctl({"status", "--json"}).out);
  CHECK(status["schema_version"] == 1);
  CHECK(status["workers"] == 1);
  const auto workers = parse_json(daemon.ctl({"workers", "--json"}).out);
  CHECK(workers["schema_version"] == 1);
  CHECK(workers["workers"][0]["tid"] == ::gettid());
  CHECK(workers["workers"][0]["state"] == "RUNNING");
  CHECK(daemon.ctl({"workers"}).out.find("RUNNING") != std::string::npos);
  const auto clients = parse_json(daemon.ctl({"clients", "--json"}).out);
  CHECK(clients["clients"][0]["pid"] == ::getpid());
  CHECK(clients["clients"][0]["capacity"] == 64);
}

TEST_CASE("the mode is shown and changed") {
  const DaemonProcess daemon;
  CHECK(daemon.ctl({"mode"}).out == "observer\n");
  const auto changed = daemon.ctl({"mode", "enforced"});
  CHECK(changed.status == 0);
  CHECK(parse_json(daemon.ctl({"mode", "--json"}).out) ==
        Json{{"mode", "enforced"}, {"in_force", true}, {"schema_version", 1}});
  CHECK(daemon.ctl({"mode", "loud"}).status == 2);
}

TEST_CASE("exit statuses say what is wrong") {
  CHECK(run_program({program("daemon/ctl/morpheusctl"), "--help"}).out.find("Exit status") !=
        std::string::npos);

  DaemonProcess refusing({"--fake-refuse-enforced", "scheduler scx_x is loaded"});
  const auto refused = refusing.ctl({"mode", "enforced"});
  CHECK(refused.status == 77);
  CHECK(refused.err.find("scheduler scx_x is loaded") != std::string::npos);
  refusing.stop(SIGTERM);
  const auto log = refusing.log();
  const auto line = log.find("scx_x");
  REQUIRE(line != std::string::npos);
  CHECK(log.find("scx_x", line + 1) == std::string::npos);
  CHECK(log.find("were not logged") == std::string::npos);

  const DaemonProcess ejecting({std::string("--fake-eject")});
  CHECK(ejecting.ctl({"status"}).status == 0);
  const auto ejected = ejecting.ctl({"mode", "enforced"});
  CHECK(ejected.status == 4);
  CHECK(is_one_line(ejected.err));
  for (const char* verb : {"status", "mode"}) CHECK(ejecting.ctl({verb}).status == 4);
  CHECK(ejecting.ctl({"status"}).out.find("ejected by the fake kernel") != std::string::npos);
  CHECK(parse_json(ejecting.ctl({"mode", "--json"}).out)["in_force"] == false);
  const auto when = parse_json(ejecting.ctl({"last-exit", "--json"}).out)["realtime_ns"];
  CHECK(std::abs(when.get<double>() / 1e9 - static_cast<double>(::time(nullptr))) < 120);
  CHECK(ejecting.ctl({"last-exit"}).out.starts_with("EJECTED at 20"));
}

TEST_CASE("without a daemon each verb that needs one says so, in one line") {
  const TempDir dir;
  for (const char* verb :
       {"status", "mode", "workers", "clients", "tunables", "events", "top", "stats", "metrics"}) {
    CAPTURE(verb);
    const auto ended =
        run_program({program("daemon/ctl/morpheusctl"), "--socket", dir.path + "/none", verb});
    CHECK(ended.status == 3);
    CHECK(is_one_line(ended.err));
    CHECK(ended.err.find("systemctl start morpheusd") != std::string::npos);
    CHECK(ended.out.empty());
  }
  for (const char* verb : {"trace", "report"}) {
    const auto ended = run_program({program("daemon/ctl/morpheusctl"), "--socket",
                                    dir.path + "/none", verb, "-o", dir.path + "/t"});
    CHECK(ended.status == 3);
    CHECK_FALSE(std::filesystem::exists(dir.path + "/t"));
  }
}

TEST_CASE("each wrong use gets one clear line, and changes nothing") {
  const DaemonProcess daemon;
  auto wrong = kWrongUses;
  const auto verbs = right_uses();
  REQUIRE(verbs.size() >= 13);
  for (const auto& right : verbs) {
    CAPTURE(right);
    const auto status = daemon.ctl(right).status;
    CHECK((status == 0 || (right[0] == "doctor" && status > 2)));
    for (const char* stray : {"--bogus", "bogus"}) {
      auto arguments = right;
      arguments.push_back(stray);
      wrong.emplace_back(std::move(arguments), stray);
    }
  }
  for (const auto& [arguments, names] : wrong) {
    const auto ended = daemon.ctl(arguments);
    CAPTURE(arguments, ended.err);
    CHECK(ended.status == 2);
    CHECK(is_one_line(ended.err));
    CHECK(ended.err.find(names) != std::string::npos);
    CHECK(ended.out.empty());
  }
  CHECK(daemon.ctl({"mode"}).out == "observer\n");
  CHECK(parse_json(daemon.ctl({"tunables", "--json"}).out)["tunables"]["slice_ns"] == 5'000'000);
}

TEST_CASE("a file that cannot be written gets one line, and leaves nothing behind") {
  const DaemonProcess daemon;
  for (const auto& verb : {std::vector<std::string>{"trace", "--seconds", "0.1", "-o"},
                           {"report", "--seconds", "0.1", "-o"},
                           {"dump", "-o"}}) {
    auto arguments = verb;
    arguments.push_back("/nonexistent/file");
    const auto ended = daemon.ctl(arguments);
    CHECK(ended.status == 1);
    CHECK(is_one_line(ended.err));
  }
}

TEST_CASE("a user who may not change things learns that") {
  if (::geteuid() != 0) SKIP("needs root, to become another user");
  constexpr int kNobody = 65534;
  const DaemonProcess daemon;
  for (const auto& change :
       {std::vector<std::string>{"mode", "enforced"}, {"tunables", "set", "slice=4ms"}}) {
    const auto ended = daemon.ctl(change, kNobody);
    CHECK(ended.status == 1);
    CHECK(is_one_line(ended.err));
    CHECK(ended.err.find("not permitted") != std::string::npos);
  }
  CHECK(daemon.ctl({"stats"}, kNobody).status == 0);
}

TEST_CASE("JSON always has a schema version, and there are no colours in a pipe") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  a.run(a.register_thread(::gettid()));
  const TempDir dir;
  const std::vector<std::vector<std::string>> verbs{
      {"status"},
      {"mode"},
      {"clients"},
      {"workers"},
      {"tunables"},
      {"stats"},
      {"metrics"},
      {"events", "--count", "1"},
      {"top", "-d", "0.1"},
      {"doctor"},
      {"dump"},
      {"trace", "--seconds", "0.2", "-o", dir.path + "/t.json"}};
  for (auto verb : verbs) {
    CAPTURE(verb);
    CHECK(daemon.ctl(verb).out.find('\033') == std::string::npos);
    verb.push_back("--json");
    const auto ended = daemon.ctl(verb);
    CHECK(std::ranges::count(ended.out, '\n') == 1);
    CHECK(parse_json(ended.out)["schema_version"] == 1);
  }
}

TEST_CASE("top without a terminal prints the given number of pictures and ends") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  a.run(a.register_thread(::gettid()));
  const auto top = daemon.ctl({"top", "-n", "2", "-d", "0.2", "--sort", "hints"});
  CHECK(top.status == 0);
  std::istringstream lines(top.out);
  int heads = 0;
  for (std::string line; std::getline(lines, line);) {
    CHECK(line.size() <= 80);
    heads += line.find("WORKER") != std::string::npos ? 1 : 0;
  }
  CHECK(heads == 2);
  const auto row = parse_json(daemon.ctl({"top", "-d", "0.3", "--json"}).out)["workers"].at(0);
  CHECK(row["tid"] == ::gettid());
  CHECK(row["hints_per_s"] > 0.0);
}

TEST_CASE("a trace is a file that readers of the format accept") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  a.run(a.register_thread(::gettid()));
  const TempDir dir;
  const auto ended = daemon.ctl({"trace", "--seconds", "0.5", "--output", dir.path + "/t.json"});
  CHECK(ended.status == 0);
  CHECK(ended.out.find("ui.perfetto.dev") != std::string::npos);
  const auto trace = read_json(dir.path + "/t.json");
  CHECK(faults_of_trace(trace) == std::vector<std::string>{});
  CHECK(trace["otherData"]["events"] > 5);
  CHECK(std::ranges::any_of(trace["traceEvents"],
                            [](const Json& e) { return e["name"] == "hint PRESSURE"; }));
  CHECK_FALSE(std::filesystem::exists(dir.path + "/t.json.partial"));

  // a pipe is written to, and not replaced by a file
  REQUIRE(::mkfifo((dir.path + "/pipe").c_str(), 0600) == 0);
  const morpheus::UniqueFd pipe(
      ::open((dir.path + "/pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(::fcntl(pipe.get(), F_SETPIPE_SZ, 1 << 20) > 0);
  CHECK(daemon.ctl({"trace", "--seconds", "0.1", "-o", dir.path + "/pipe"}).status == 0);
  std::string piped(1 << 20, '\0');
  piped.resize(static_cast<std::size_t>(
      std::max<ssize_t>(0, ::read(pipe.get(), piped.data(), piped.size()))));
  REQUIRE_FALSE(piped.empty());
  CHECK(faults_of_trace(parse_json(piped)) == std::vector<std::string>{});
  CHECK(std::filesystem::is_fifo(dir.path + "/pipe"));
}

TEST_CASE("a trace whose daemon ends leaves the file that was there, and nothing else") {
  DaemonProcess daemon({"--fake-hint-ms", "5"});
  const TempDir dir;
  const auto path = dir.path + "/t.json";
  std::ofstream(path) << "an older trace";
  std::thread end([&] {
    (void)eventually([&] { return std::filesystem::exists(path + ".partial"); });
    daemon.stop(SIGKILL);
  });
  const auto ended = daemon.ctl({"trace", "--seconds", "60", "-o", path});
  end.join();
  CHECK(ended.status == 3);
  CHECK(is_one_line(ended.err));
  std::ifstream file(path);
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == "an older trace");
  CHECK_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST_CASE("a trace that readers would refuse or show wrongly is found out") {
  const Json name = {
      {"ph", "M"}, {"name", "process_name"}, {"pid", 1}, {"tid", 1}, {"args", {{"name", "app"}}}};
  Json thread = name;
  thread["name"] = "thread_name";
  const auto run = [](double start, double duration) {
    return Json{{"ph", "X"}, {"name", "running"}, {"pid", 1},
                {"tid", 1},  {"ts", start},       {"dur", duration}};
  };
  const auto edge = [](const char* phase, double time, const char* category) {
    return Json{{"ph", phase}, {"cat", category}, {"name", "hint"}, {"id", "7"},
                {"pid", 1},    {"tid", 1},        {"ts", time}};
  };
  const auto faults = [](std::vector<Json> events) {
    return faults_of_trace({{"traceEvents", events}}).size();
  };
  CHECK(faults({name, thread, run(1, 5), run(2, 3), run(6, 1), edge("b", 1, "hint"),
                edge("e", 2, "hint")}) == 0);
  CHECK(faults_of_trace({{"events", Json::array()}}).size() > 0);
  CHECK(faults({name, thread, run(1, 5), run(2, 5)}) > 0);  // they cross
  CHECK(faults({name, run(1, 5)}) > 0);
  CHECK(faults({thread, run(1, 5)}) > 0);
  CHECK(faults({edge("b", 1, "hint")}) > 0);
  CHECK(faults({edge("b", 1, "hint"), edge("e", 2, "throttle")}) > 0);
  CHECK(faults({edge("b", 3, "hint"), edge("e", 2, "hint")}) > 0);
  for (const char* key : {"ph", "name", "pid", "tid", "ts", "dur"}) {
    auto lacking = run(1, 5);
    lacking.erase(key);
    CAPTURE(key);
    CHECK(faults({name, thread, lacking}) > 0);
  }
  const std::vector<std::pair<const char*, Json>> wrong{
      {"ph", "Z"}, {"ts", -1}, {"ts", "1"}, {"dur", -1}, {"name", ""}, {"pid", "1"}, {"args", 1}};
  for (const auto& [key, value] : wrong) {
    auto event = run(1, 5);
    event[key] = value;
    CAPTURE(event);
    CHECK(faults({name, thread, event}) > 0);
  }
}

TEST_CASE("statistics and the dump show what happened") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  a.run(a.register_thread(::gettid()));
  REQUIRE(eventually([&] {
    return parse_json(daemon.ctl({"stats", "--json"}).out)["hints_by_reason"].value("PRESSURE", 0) >
           2;
  }));
  CHECK(daemon.ctl({"stats"}).out.find("decision to acknowledgement") != std::string::npos);
  const auto dump = parse_json(daemon.ctl({"dump"}).out);
  CHECK(dump["status"]["backend"] == "fake");
  CHECK(dump["clients"][0]["pid"] == ::getpid());
  CHECK(dump["workers"][0]["tid"] == ::gettid());
  CHECK(dump["events"].size() > 2);
  CHECK(dump["doctor"].size() > 5);
  CHECK(dump["host"].contains("release"));
  const TempDir dir;
  const auto without =
      run_program({program("daemon/ctl/morpheusctl"), "--socket", dir.path + "/none", "dump"});
  CHECK(without.status == 3);
  CHECK(parse_json(without.out)["doctor"].size() > 5);
}

TEST_CASE("tunables are shown and changed with units") {
  const DaemonProcess daemon;
  CHECK(daemon.ctl({"tunables", "set", "slice=4ms", "grace=8ms"}).status == 0);
  const auto tunables = parse_json(daemon.ctl({"tunables", "get", "--json"}).out);
  CHECK(tunables["tunables"]["slice_ns"] == 4'000'000);
  CHECK(tunables["tunables"]["grace_ns"] == 8'000'000);
}

TEST_CASE("events are streamed to several at once") {
  const DaemonProcess daemon({"--fake-hint-ms", "5"});
  Attached a(daemon);
  a.run(a.register_thread(::gettid()));

  auto first = daemon.connect(), second = daemon.connect();
  for (Client* client : {&first, &second}) {
    REQUIRE(client->call_more("io.morpheus.Control.Subscribe"));
    auto start = client->next_reply(Client::kDefaultTimeout);
    REQUIRE(start);
    CHECK(start->continues);
    auto events = client->next_reply(Client::kDefaultTimeout);
    REQUIRE(events);
    CHECK(events->parameters["events"].size() > 0);
    CHECK(events->parameters["events"][0]["tid"] == ::gettid());
  }
}
