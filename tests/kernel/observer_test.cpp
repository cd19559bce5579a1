// SPDX-License-Identifier: GPL-2.0-only
// Observer mode on a real kernel: it hints, and changes nothing else. Runs on any kernel with BTF.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>

#include "tests/kernel/crowd.hpp"
#include "tests/kernel/machine.hpp"

using namespace morpheus::test;

namespace {

/// Before any daemon of this program.
const std::string kStateBefore = sched_ext_state();

}  // namespace

TEST_CASE("observer: hints reach an unprivileged worker, which acknowledges them", "[observer]") {
  const auto& daemon = observing_daemon();
  Crowd load(daemon, {kWorker, kWorker, kSleeper}, &witness());
  const auto before = load.hints(0);
  const auto answers = [&] {
    return control(daemon, "GetStatus")["ack_latency"]["count"].get<int>();
  };
  const auto answers_before = answers();
  REQUIRE(eventually([&] { return load.hints(0) > before + 10; }));
  REQUIRE(eventually([&] { return worker(daemon, load.tid(0))["acknowledged"] > 0; }));
  const auto status = control(daemon, "GetStatus");
  CHECK(status["mode"] == "observer");
  CHECK(status["backend"] == "bpf");
  CHECK(answers() > answers_before);
  CHECK(worker(daemon, load.tid(0))["hints_by_reason"]["PRESSURE"] > 0);
}

TEST_CASE("observer: a worker that is alone is asked no oftener than a thread woke or came",
          "[observer]") {
  const auto& daemon = observing_daemon();
  Crowd load(daemon, {kWorker}, &witness());
  // by a thread that waits: beside one that computes here as well, each slice ends with a hint
  const auto asked = [&] {
    return worker(daemon, load.tid(0))["hints_by_reason"].value("PRESSURE", std::uint64_t{0});
  };
  const auto came = witness().arrivals(crowded_cpu());
  const auto before = asked();
  (void)load.shares(1.5);
  const auto given = asked() - before;
  // one may have waited since before
  CHECK(given <= witness().arrivals(crowded_cpu()) - came + 1);
}

TEST_CASE("observer: a worker that is alone is interrupted by ticks and once a slice, no more",
          "[observer]") {
  const auto& daemon = observing_daemon();
  for (const auto state : {MORPHEUS_WORKER_RUNNING, MORPHEUS_WORKER_QUIESCING}) {
    const Crowd load(daemon, {{.manner = Manner::cooperative, .state = state}});
    INFO("state " << state);
    check_interrupts(2000);  // 500 ticks, 450 slices
  }
}

TEST_CASE("observer: no hints outside RUNNING", "[observer]") {
  const auto& daemon = observing_daemon();
  Crowd load(daemon,
             {kWorker,
              {.manner = Manner::cooperative, .state = MORPHEUS_WORKER_REGISTERED},
              {.manner = Manner::cooperative, .state = MORPHEUS_WORKER_QUIESCING},
              kSleeper},
             &witness());
  const auto running = load.hints(0), registered = load.hints(1), quiescing = load.hints(2);
  REQUIRE(eventually([&] { return load.hints(0) > running + 20; }));
  CHECK(load.hints(1) == registered);
  CHECK(load.hints(2) == quiescing);
}

TEST_CASE("observer: no thread's class and no thread's share changes", "[observer]") {
  need_bpf();
  // two deaf workers and two rivals: with or without a daemon each gets a quarter
  const std::vector<ThreadSpec> mix{
      {.manner = Manner::deaf, .escapable = true}, {.manner = Manner::deaf}, kRival, kRival};
  const auto& daemon = observing_daemon();
  Crowd load(daemon, mix, &witness());
  const auto hints = load.hints(0);
  const auto farthest_off = [&] {
    double off = 0;
    for (const double share : load.shares(3)) off = std::max(off, std::abs(share - 0.25));
    return off;
  };
  CHECK(measure_until(farthest_off, [](double off) { return off < 0.06; }) < 0.06);
  for (std::size_t i = 0; i < mix.size(); ++i) {
    CHECK(load.seen(i).policy == SCHED_OTHER);
    CHECK(witness().count(i).kicked == 0);
  }
  // The kernel mostly ends a worker's turn before our slice is nearly over.
  CHECK(eventually([&] { return load.hints(0) > hints; }));
  CHECK(load.last_escalation_ns(0) == 0);
  CHECK(sched_ext_state() == kStateBefore);
}

TEST_CASE("observer: the kernel line cannot be written, resized or punched", "[observer]") {
  const auto& daemon = observing_daemon();
  Attached attached(daemon);
  const int fd = attached.fds.at(attached.reply["kernel_lines"]).get();
  const auto size = attached.kernel_lines.size();
  const int slot = attached.register_thread(gettid());
  attached.run(slot);
  CHECK(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  CHECK(::mprotect(attached.kernel_lines.data(), size, PROT_READ | PROT_WRITE) == -1);
  CHECK(::ftruncate(fd, 0) == -1);
  CHECK(::ftruncate(fd, static_cast<off_t>(2 * size)) == -1);
  CHECK(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) ==
        -1);
  CHECK(attached.kernel(slot).worker_state == MORPHEUS_WORKER_RUNNING);
}

TEST_CASE("observer: killed with -9, a new daemon gets the workers back by itself", "[observer]") {
  OwnDaemon daemon;
  Crowd load(daemon, {kWorker, kWorker, kSleeper}, &witness());
  const auto at_start = load.hints(0);
  REQUIRE(eventually([&] { return load.hints(0) > at_start + 10; }));
  const auto pid = load.pid();
  daemon.stop(SIGKILL);
  const auto passed = load.safe_points(0);
  REQUIRE(eventually([&] { return load.safe_points(0) > passed + 100; }));
  daemon.start();
  REQUIRE(eventually([&] { return !worker(daemon, load.tid(0)).is_null(); }));
  const auto hints = load.hints(0);
  REQUIRE(eventually([&] { return load.hints(0) > hints + 10; }));
  REQUIRE(eventually([&] { return worker(daemon, load.tid(1))["acknowledged"] > 0; }));
  CHECK(load.pid() == pid);
}

TEST_CASE("observer: where Enforced cannot be had, it is refused with the reason", "[observer]") {
  const auto& daemon = observing_daemon();
  auto scheduler = control(daemon, "GetStatus")["scheduler"];
  if (scheduler["enforced_available"]) SKIP("this kernel can do Enforced mode");
  auto client = daemon.connect();
  const auto reply = client.call("io.morpheus.Control.SetMode", {{"mode", "enforced"}});
  REQUIRE_FALSE(reply);
  CHECK(reply.error().is("io.morpheus.Control.EnforcedUnavailable"));
  CHECK(scheduler["why_not"].get<std::string>().find("sched_ext") != std::string::npos);
}
