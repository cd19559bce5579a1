// SPDX-License-Identifier: GPL-2.0-only
// Enforced mode on a real sched_ext kernel: which threads lose the CPU, which never do, and what
// happens when the daemon goes. Effects are taken from /proc and from the witness.
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cmath>
#include <thread>

#include "tests/kernel/crowd.hpp"
#include "tests/kernel/machine.hpp"

using namespace morpheus::test;

namespace {

/// Slices are long against the tick, so that counts mean the same on a slow, emulated machine.
const DaemonProcess& with_long_slices() {
  const auto& daemon = enforcing_daemon();
  set_tunables_ms(daemon, 20, 20, 200);
  REQUIRE(sched_ext_state() == "enabled");
  return daemon;
}

}  // namespace

TEST_CASE("enforced: a deaf worker that consented is kicked, and its rival gets the CPU") {
  const auto& daemon = with_long_slices();
  Crowd load(daemon, {kDeaf, kRival}, &witness());
  // its slices are shorter than the deaf worker's turns, but it stays
  CHECK(measure_until([&] { return load.shares(4)[1]; },
                      [](double share) { return share > 0.47; }) > 0.47);
  CHECK(witness().count(0).kicked > 0);
  CHECK(load.last_escalation_ns(0) > 0);
  CHECK(worker(daemon, load.tid(0))["escalations"] > 0);
  CHECK(worker(daemon, load.tid(0))["last_calls"] > 0);
}

TEST_CASE("enforced: a worker that did not consent is never kicked, but shares by slices") {
  const auto& daemon = with_long_slices();
  Crowd load(daemon, {{.manner = Manner::deaf}, kRival}, &witness());
  const auto shares = load.shares(4);
  CHECK(witness().count(0).kicked == 0);
  CHECK(load.last_escalation_ns(0) == 0);
  const auto record = worker(daemon, load.tid(0));
  CHECK(record["escalations"] == 0);
  CHECK(record["hints"] > 0);
  CHECK(record["last_calls"] == 0);
  CHECK(shares[1] > 0.2);
}

TEST_CASE("enforced: workers that answer are never kicked, whatever they consented to") {
  const auto& daemon = with_long_slices();
  // An emulated machine stands still for longer than a grace now and then; no worker can help it.
  set_tunables_ms(daemon, 20, 1000, 2000);
  Crowd load(daemon, {kConsentingWorker, kConsentingWorker, kSleeper, kRival}, &witness());
  (void)load.shares(4);
  for (const std::size_t i : {0, 1}) {
    const auto record = worker(daemon, load.tid(i));
    CHECK(record["acknowledged"] > 0);
    CHECK(record["escalations"] == 0);
    CHECK(load.last_escalation_ns(i) == 0);
    CHECK(witness().count(i).kicked == 0);
  }
}

TEST_CASE("enforced: a worker outside RUNNING is never asked nor kicked") {
  const auto& daemon = with_long_slices();
  Crowd load(daemon,
             {{.manner = Manner::deaf, .escapable = true, .state = MORPHEUS_WORKER_REGISTERED},
              {.manner = Manner::deaf, .escapable = true, .state = MORPHEUS_WORKER_QUIESCING},
              kRival},
             &witness());
  const auto registered = load.hints(0), quiescing = load.hints(1);
  const auto shares = load.shares(4);
  for (const std::size_t i : {0, 1}) {
    CHECK(load.last_escalation_ns(i) == 0);
    CHECK(worker(daemon, load.tid(i))["escalations"] == 0);
  }
  CHECK(load.hints(0) == registered);
  CHECK(load.hints(1) == quiescing);
  CHECK(shares[2] > 0.2);
}

TEST_CASE("enforced: a critical section is not interrupted before the hold cap") {
  const auto& daemon = with_long_slices();
  set_tunables_ms(daemon, 5, 10, 2000);
  Crowd load(daemon, {{.manner = Manner::critical, .escapable = true}, kRival, kSleeper},
             &witness());
  // Once the worker gets the CPU it keeps it: compare two looks well inside the cap.
  const auto before = witness().count(0);
  REQUIRE(eventually([&] { return witness().count(0).switched_in > before.switched_in; }));
  const auto losses = witness().count(0).critical_losses;
  const auto shares = load.shares(1);
  const auto after = witness().count(0);
  INFO("shares " << shares[0] << " " << shares[1] << ", switched in " << after.switched_in);
  CHECK(after.kicked == 0);
  CHECK(load.last_escalation_ns(0) == 0);
  CHECK(after.critical_losses - losses <= after.losses_to_higher - before.losses_to_higher);
  CHECK(worker(daemon, load.tid(0))["deferrals"] > 0);
  CHECK(worker(daemon, load.tid(0))["blocked"]["CRITICAL"] > 0);
}

TEST_CASE("enforced: the hold cap ends a critical section that does not end") {
  const auto& daemon = with_long_slices();
  set_tunables_ms(daemon, 5, 10, 50);
  Crowd load(daemon, {{.manner = Manner::critical, .escapable = true}, kRival}, &witness());
  const auto shares = load.shares(4);
  CHECK(witness().count(0).critical_losses > 0);
  CHECK(witness().count(0).kicked == 0);
  CHECK(worker(daemon, load.tid(0))["overruns"] > 0);
  CHECK(shares[1] > 0.02);
  CHECK(sched_ext_state() == "enabled");
}

TEST_CASE("enforced: equal threads get equal shares, nice ones less") {
  const auto& daemon = with_long_slices();
  set_tunables_ms(daemon, 5, 10, 100);
  Crowd load(daemon, {kWorker, kWorker, kRival, {.manner = Manner::rival, .nice = 5}}, &witness());
  const auto is_good = [](const auto& shares) {
    return std::abs(shares[0] - shares[1]) < 0.08 && std::abs(shares[0] - shares[2]) < 0.08 &&
           std::abs(shares[3] / shares[2] - 335.0 / 1024) < 0.08;  // by the kernel's weights
  };
  const auto shares = measure_until([&] { return load.shares(6); }, is_good);
  INFO(shares[0] << " " << shares[1] << " " << shares[2] << " " << shares[3]);
  CHECK(is_good(shares));
}

TEST_CASE("enforced: of two threads the heavier one has more than every other turn") {
  const auto& daemon = with_long_slices();
  set_tunables_ms(daemon, 5, 10, 100);
  Crowd load(daemon, {kRival, {.manner = Manner::rival, .nice = 5}}, &witness());
  const auto is_good = [](const auto& shares) {
    return std::abs(shares[1] / shares[0] - 335.0 / 1024) < 0.08;
  };
  const auto shares = measure_until([&] { return load.shares(4); }, is_good);
  INFO(shares[0] << " " << shares[1]);
  CHECK(is_good(shares));
}

TEST_CASE("enforced: who loses the CPU to a higher class in mid-turn pays for all of that turn") {
  const auto& daemon = with_long_slices();
  set_tunables_ms(daemon, 5, 10, 100);
  // Each turn of the first is as long as the cap, and is interrupted. The second must get as much
  // afterwards, although it lets the third go ahead and is queued anew each time.
  Crowd load(daemon, {{.manner = Manner::critical, .escapable = true}, kWorker, kSleeper},
             &witness());
  const RealTimeThread above(crowded_cpu(), std::chrono::milliseconds(30));
  const auto before = witness().count(0);
  const auto share_of_second = [&] {
    const auto shares = load.shares(6);
    return shares[1] / (shares[0] + shares[1]);
  };
  CHECK(measure_until(share_of_second, [](double share) { return share > 0.46; }) > 0.46);
  CHECK(witness().count(0).losses_to_higher - before.losses_to_higher > 20);
}

TEST_CASE("enforced: the mode changes while workers run, and no hint state is lost") {
  need_sched_ext();
  const auto& daemon = observing_daemon();
  Crowd load(daemon, {kWorker, kWorker, kSleeper}, &witness());
  for (int round = 0; round < 3; ++round) {
    set_mode(daemon, "enforced");
    CHECK(sched_ext_state() == "enabled");
    CHECK(sched_ext_ops() == "morpheus");
    CHECK(control(daemon, "GetStatus")["scheduler"]["attached"] == true);
    auto hints = load.hints(0);
    CHECK(eventually([&] { return load.hints(0) > hints + 5; }));
    set_mode(daemon, "observer");
    CHECK(sched_ext_state() == "disabled");
    hints = load.hints(1);
    CHECK(eventually([&] { return load.hints(1) > hints + 5; }));
  }
  const auto scheduler = control(daemon, "GetStatus")["scheduler"];
  CHECK(scheduler["attached"] == false);
  CHECK(!scheduler.contains("last_exit"));
}

TEST_CASE("enforced: killed with -9, the kernel's own scheduler takes over and clients go on") {
  need_sched_ext();
  OwnDaemon daemon;
  set_mode(daemon, "enforced");
  Crowd load(daemon, {kWorker, kWorker, kSleeper}, &witness());
  const auto at_start = load.hints(0);
  REQUIRE(eventually([&] { return load.hints(0) > at_start + 10; }));
  daemon.stop(SIGKILL);
  REQUIRE(eventually([&] { return sched_ext_state() == "disabled"; }));
  const auto passed = load.safe_points(0);
  REQUIRE(eventually([&] { return load.safe_points(0) > passed + 100; }));
  for (const std::size_t i : {0, 1, 2}) CHECK(load.seen(i).policy == SCHED_OTHER);
  daemon.start();
  set_mode(daemon, "enforced");
  REQUIRE(eventually([&] { return !worker(daemon, load.tid(0)).is_null(); }));
  const auto hints = load.hints(0);
  CHECK(eventually([&] { return load.hints(0) > hints + 10; }));
}

TEST_CASE("enforced: the operator's switch works for root and is refused by name to others") {
  need_sched_ext();
  const auto& daemon = observing_daemon();
  Crowd load(daemon, {kWorker, kSleeper}, &witness());
  const auto refused = daemon.ctl({"mode", "enforced"}, 65534);
  CHECK(refused.status == 1);
  CHECK(refused.err.find("not permitted") != std::string::npos);
  CHECK(sched_ext_state() == "disabled");
  const auto done = daemon.ctl({"mode", "enforced"});
  INFO(done.err);
  CHECK(done.status == 0);
  CHECK(sched_ext_ops() == "morpheus");
  CHECK(daemon.ctl({"status"}).status == 0);
  CHECK(daemon.ctl({"mode", "observer"}).status == 0);
  CHECK(sched_ext_state() == "disabled");
}

TEST_CASE("enforced: an orderly stop gives the machine back") {
  need_sched_ext();
  OwnDaemon daemon;
  set_mode(daemon, "enforced");
  CHECK(daemon.stop(SIGTERM) == 0);
  CHECK(sched_ext_state() == "disabled");
}

TEST_CASE(
    "enforced: who wakes beside a thread that has just begun does not wait for its whole slice") {
  const auto& daemon = with_long_slices();
  // The sleep is so short that the other one's run, which begins with it, is never long by its end.
  const Crowd load(daemon, {kRival, {.manner = Manner::sleeper, .sleep_us = 100}});
  std::this_thread::sleep_for(std::chrono::seconds(4));
  const auto waits = load.times(1);
  INFO(waits.count() << " wakeups, median " << waits.quantile(500) << " ns");
  CHECK(waits.quantile(500) < 5'000'000);  // a slice is 20 ms
}

TEST_CASE("enforced: a worker that is alone is interrupted by ticks and once a slice, no more") {
  const auto& daemon = with_long_slices();
  for (const auto state : {MORPHEUS_WORKER_RUNNING, MORPHEUS_WORKER_QUIESCING}) {
    const Crowd load(daemon, {{.manner = Manner::cooperative, .state = state}});
    INFO("state " << state);
    check_interrupts(1000);  // 500 ticks, 100 slices
  }
}
