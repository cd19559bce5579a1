// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl blame on a real kernel: it names the function in which a worker keeps threads
// waiting, and the threads that wait. The guilt is known: tests/programs/guilty.cpp.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <iostream>
#include <sstream>

#include "tests/kernel/machine.hpp"

using namespace morpheus::test;

namespace {

constexpr int kAlice = 1000, kStranger = 1002;

/// The guilty program, run by an ordinary user.
class Guilty {
 public:
  explicit Guilty(const DaemonProcess& daemon) {
    const auto path = program("tests/programs/guilty"), cpu = std::to_string(crowded_cpu());
    pid_ = ::fork();
    if (pid_ == 0) {
      if (::setgid(kAlice) != 0 || ::setuid(kAlice) != 0) std::_Exit(92);
      ::execl(path.c_str(), "guilty", daemon.socket().c_str(), cpu.c_str(), nullptr);
      std::_Exit(91);
    }
    REQUIRE(eventually([&] {
      const auto workers = control(daemon, "ListWorkers")["workers"];
      return workers.size() == 2 && workers[0]["state"] == "RUNNING" &&
             workers[1]["state"] == "RUNNING";
    }));
  }
  ~Guilty() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Guilty(const Guilty&) = delete;
  Guilty& operator=(const Guilty&) = delete;

 private:
  pid_t pid_;
};

/// An emulated machine stops for moments, also in the middle of 50 us of work.
void overlook_stalls(const DaemonProcess& daemon) {
  control(daemon, "SetTunables", {{"slice_ns", 6'000'000}, {"hint_lead_ns", 5'000'000}});
}

/// What blame says, as JSON; looks as often as it takes until `is_wanted`.
template <class Condition>
Json blame_until(const DaemonProcess& daemon, Condition is_wanted) {
  Json said;
  REQUIRE(eventually([&] {
    const auto ended = daemon.ctl({"blame", "--seconds", "4", "--json"});
    REQUIRE(ended.status == 0);
    said = parse_json(ended.out);
    return is_wanted(said["workers"]);
  }));
  return said["workers"];
}

std::uint64_t samples_of(const Json& workers, const std::string& thread) {
  for (const auto& worker : workers)
    if (worker["thread"] == thread) return worker["samples"];
  return 0;
}

bool is_victim(const Json& worker, const std::string& thread) {
  for (const auto& victim : worker["victims"])
    if (victim.value("thread", "") == thread) return true;
  return false;
}

/// The innermost place, most often seen, is in the planted loop; its caller is named, too.
void check_place(const Json& worker) {
  const auto lines = run_program({program("tests/programs/guilty"), "--lines"}).out;
  int first = 0, last = 0;
  std::istringstream(lines) >> first >> last;
  REQUIRE(last > first);
  INFO(worker.dump(1));
  const auto& places = worker["stacks"][0]["places"];
  REQUIRE(places.size() >= 2);
  CHECK(places[0]["function"] == "crunch()");
  CHECK(places[0]["file"].get<std::string>().ends_with("guilty.cpp"));
  CHECK(places[0]["line"] >= first);
  CHECK(places[0]["line"] <= last);
  CHECK(places[1]["function"] == "handle_request()");
}

}  // namespace

TEST_CASE("observer: blame names the planted function, its line and the thread that waited",
          "[observer]") {
  const auto& daemon = observing_daemon();
  overlook_stalls(daemon);
  const Guilty guilty(daemon);
  const auto workers = blame_until(daemon, [](const Json& seen) {
    return samples_of(seen, "deaf0") >= 10 && is_victim(seen[0], "victim0");
  });
  CHECK(workers[0]["thread"] == "deaf0");
  CHECK(workers[0]["process"] == "guilty");
  CHECK(samples_of(workers, "polite0") * 3 <= samples_of(workers, "deaf0"));
  check_place(workers[0]);
  const auto shown = daemon.ctl({"blame", "--seconds", "2"});
  std::cout << shown.out;
  CHECK(shown.out.find("crunch()  guilty.cpp:") != std::string::npos);
}

TEST_CASE("observer: another ordinary user sees nothing of a stranger's worker, its own user does",
          "[observer]") {
  const auto& daemon = observing_daemon();
  const Guilty guilty(daemon);
  (void)blame_until(daemon, [](const Json& seen) { return samples_of(seen, "deaf0") > 0; });
  const auto as = [&](int uid) {
    const auto ended = daemon.ctl({"blame", "--seconds", "4", "--json"}, uid);
    REQUIRE(ended.status == 0);
    return ended.out;
  };
  const auto stranger = as(kStranger);
  CHECK(parse_json(stranger)["workers"].empty());
  CHECK(parse_json(stranger)["samples"] == 0);
  CHECK(stranger.find("deaf0") == std::string::npos);
  const auto own = parse_json(as(kAlice))["workers"];
  REQUIRE(samples_of(own, "deaf0") > 0);
  check_place(own[0]);
}

TEST_CASE("observer: top's worst pair, and the worker for which threads wait, are the planted ones",
          "[observer]") {
  const auto& daemon = observing_daemon();
  overlook_stalls(daemon);
  const Guilty guilty(daemon);
  const auto workers =
      blame_until(daemon, [](const Json& seen) { return samples_of(seen, "deaf0") >= 10; });
  const auto deaf = workers[0]["tid"];
  Json seen;
  REQUIRE(eventually([&] {
    const auto lines = daemon.ctl({"top", "-n", "2", "-d", "4", "--json"}).out;
    seen = parse_json(lines.substr(lines.find('\n') + 1));
    return seen["worst"].get<std::string>().find("kept victim0 waiting") != std::string::npos;
  }));
  INFO(seen.dump(1));
  CHECK(seen["worst"].get<std::string>().starts_with("guilty/deaf0 kept victim0 waiting "));
  CHECK(seen["worst"].get<std::string>().find(", in crunch() at guilty.cpp:") != std::string::npos);
  double guilts = 0, others = 0;
  for (const auto& row : seen["workers"])
    (row["tid"] == deaf ? guilts : others) += row["kept_pct"].get<double>();
  CHECK(guilts >= 1.0);
  CHECK(others * 4 < guilts);
}

TEST_CASE(
    "enforced: blame names the deaf worker by its late hints, and hardly the one that answers") {
  const auto& daemon = enforcing_daemon();
  // longer than most moments for which an emulated machine stops
  set_tunables_ms(daemon, 5, 60, 500);
  control(daemon, "SetTunables", {{"hint_lead_ns", 4'500'000}});
  const Guilty guilty(daemon);
  const auto workers =
      blame_until(daemon, [](const Json& seen) { return samples_of(seen, "deaf0") >= 10; });
  INFO(workers.dump(1));
  CHECK(workers[0]["thread"] == "deaf0");
  // whichever comes first: the timer that finds the hint late, or the tick that would escalate
  CHECK(workers[0]["causes"].value("LATE", 0) + workers[0]["causes"].value("BLOCKED", 0) > 0);
  CHECK(is_victim(workers[0], "victim0"));
  CHECK(samples_of(workers, "polite0") * 3 <= samples_of(workers, "deaf0"));
  check_place(workers[0]);
}
