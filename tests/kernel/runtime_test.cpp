// SPDX-License-Identifier: GPL-2.0-only
// The C++ runtime on a real kernel: what its threads do when they are hinted, when they lose the
// CPU, and when hints are lost. A child process plays the application, as an ordinary user, and
// reports what it saw. Only orders and counts are judged: under emulation times mean little.
#include <grp.h>
#include <morpheus/morpheus.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <morpheus/runtime.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/sleep.hpp>
#include <morpheus/yield.hpp>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <thread>

#include "tests/kernel/crowd.hpp"
#include "tests/kernel/machine.hpp"
#include "tests/programs/load.hpp"

using namespace morpheus::test;
using namespace std::chrono_literals;
using morpheus::task;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kLongest = 60s;  // for one step of a test, on a slow machine

/// What the child reports.
struct Report {
  std::atomic<bool> was_hinted, ran_elsewhere;
  std::atomic<std::uint64_t> taken_over, hints;
  std::atomic<unsigned> modes;  // one bit for each that was seen
  std::atomic<bool> is_deterministic_again;
};

/// Plays `application(the report, the runtime)` in a child process with two threads, the first on
/// the crowded CPU. Returns its exit status.
class Application {
 public:
  template <class F>
  int play(const DaemonProcess& daemon, F application) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      constexpr uid_t kNobody = 65534;
      if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)
        std::_Exit(92);
      const std::string socket = daemon.socket();
      morpheus_options options{};
      options.socket = socket.c_str();
      options.name = "application";
      if (morpheus_attach(&options) != MORPHEUS_OK) std::_Exit(91);
      {
        const auto crowded = static_cast<int>(crowded_cpu());
        morpheus::runtime runtime({.threads = 2, .cpus = {crowded, crowded == 0 ? 1 : 0}});
        for (unsigned i = 0; i < 2; ++i) wait([&] { return runtime.stats()[i].is_guided; });
        application(*report_, runtime);
      }
      std::_Exit(0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  template <class F>
  static void wait(F condition) {
    for (const auto end = Clock::now() + kLongest; !condition(); std::this_thread::sleep_for(1ms))
      if (Clock::now() > end) std::_Exit(90);
  }

  [[nodiscard]] const Report& report() const { return *report_; }
  Application() {
    void* const memory =
        ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    report_ = new (memory) Report{};
  }
  ~Application() { ::munmap(report_, sizeof(Report)); }
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

 private:
  Report* report_;
};

void burn(std::chrono::nanoseconds time) {
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
  }
}

task<> hold(std::atomic<bool>& is_held, std::atomic<bool>& free) {
  is_held = true;
  while (!free) std::this_thread::sleep_for(100us);
  co_return;
}

task<> until(morpheus::join_handle<void> done) { co_await done; }

task<> count(std::atomic<int>& ran) {
  ++ran;
  co_return;
}

/// Runs on the first thread, since the second one is held: queues tasks, takes plain safe points
/// until a hint comes before the watch has taken the tasks over, lets the second thread go, and
/// makes no step until the tasks have run there.
task<> queue_until_hinted(Report& report, std::atomic<bool>& free,
                          const morpheus::runtime& runtime) {
  const auto end = Clock::now() + kLongest;
  while (!report.was_hinted && Clock::now() < end) {
    std::atomic<int> ran{0};
    morpheus::scope scope;
    for (int i = 0; i < 10; ++i) scope.spawn(count(ran));
    for (int i = 0; i < 20 && !report.was_hinted; ++i) {
      burn(50us);
      if (morpheus::checkpoint_here()) report.was_hinted = runtime.stats()[0].handed_over > 0;
    }
    if (report.was_hinted) {
      free = true;
      while (ran != 10 && Clock::now() < end) std::this_thread::yield();
      report.ran_elsewhere = ran == 10;
    }
    co_await scope.join();
  }
}

/// Plays on the first thread while the second one is held, until the play lets it go.
void run_beside_held(morpheus::runtime& runtime, Report& report,
                     task<> (*play)(Report&, std::atomic<bool>&, const morpheus::runtime&)) {
  std::atomic<bool> is_held{false}, free{false};
  auto held = runtime.on_thread(1).spawn(hold(is_held, free));
  while (!is_held) std::this_thread::sleep_for(1ms);
  runtime.run(play(report, free, runtime));
  free = true;
  runtime.run(until(std::move(held)));
}

void hand_over_when_hinted(Report& report, morpheus::runtime& runtime) {
  run_beside_held(runtime, report, queue_until_hinted);
}

/// Runs on the first thread, beside rivals that take its CPU away: queues tasks and makes no step.
task<> queue_and_go_on(Report& report, std::atomic<bool>& free,
                       const morpheus::runtime& /*runtime*/) {
  std::atomic<int> ran{0};
  morpheus::scope scope;
  for (int i = 0; i < 4; ++i) scope.spawn(count(ran));
  free = true;
  for (const auto end = Clock::now() + kLongest; ran != 4 && Clock::now() < end;) burn(50us);
  report.ran_elsewhere = ran == 4;
  co_await scope.join();
}

void lose_the_cpu(Report& report, morpheus::runtime& runtime) {
  run_beside_held(runtime, report, queue_and_go_on);
  report.taken_over = runtime.stats()[0].taken_over;
}

task<> look_for_modes(Report& report, morpheus::runtime& runtime, unsigned wanted, bool is_deaf) {
  const auto end = Clock::now() + kLongest;
  while ((report.modes & wanted) != wanted && Clock::now() < end) {
    if (is_deaf) burn(100ms);  // far beyond the grace, without a safe point
    burn(50us);
    co_await morpheus::checkpoint();
    co_await morpheus::yield();
    report.modes |= 1U << runtime.stats()[0].mode;
  }
  report.hints = runtime.stats()[0].hints;
}

template <void (*kPlay)(Report&, morpheus::runtime&)>
void play_beside(const std::string& mode, std::vector<ThreadSpec> others, Report const*& report,
                 Application& application) {
  const auto& daemon = mode == "enforced" ? enforcing_daemon() : observing_daemon();
  Load load(daemon.socket(), crowded_cpu(), std::move(others), nullptr);
  REQUIRE(application.play(daemon, kPlay) == 0);
  report = &application.report();
}

void check_hand_over(const std::string& mode) {
  Application application;
  const Report* report = nullptr;
  play_beside<hand_over_when_hinted>(mode, {kSleeper}, report, application);
  CHECK(report->was_hinted);
  CHECK(report->ran_elsewhere);
}

void check_taking_over(const std::string& mode) {
  Application application;
  const Report* report = nullptr;
  play_beside<lose_the_cpu>(mode, {kRival, kRival}, report, application);
  CHECK(report->ran_elsewhere);
  CHECK(report->taken_over > 0);
}

}  // namespace

TEST_CASE("observer: a runtime that is hinted lets another thread run what it has queued",
          "[observer]") {
  need_bpf();
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) SKIP("needs two CPUs");
  check_hand_over("observer");
}

TEST_CASE("enforced: a runtime that is hinted lets another thread run what it has queued") {
  need_sched_ext();
  check_hand_over("enforced");
}

TEST_CASE("observer: what waits behind a thread that lost its CPU is run by another one",
          "[observer]") {
  need_bpf();
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) SKIP("needs two CPUs");
  check_taking_over("observer");
}

TEST_CASE("enforced: what waits behind a thread that lost its CPU is run by another one") {
  need_sched_ext();
  check_taking_over("enforced");
}

TEST_CASE("enforced: the runtime's modes follow what the kernel does") {
  need_sched_ext();
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) SKIP("needs two CPUs");
  const auto& daemon = observing_daemon();
  constexpr unsigned kDeterministic = 1U << MORPHEUS_DETERMINISTIC,
                     kPressured = 1U << MORPHEUS_PRESSURED, kDefensive = 1U << MORPHEUS_DEFENSIVE;
  Application acknowledging;
  {
    Load load(daemon.socket(), crowded_cpu(), {kSleeper}, nullptr);
    REQUIRE(acknowledging.play(daemon, [](Report& report, morpheus::runtime& runtime) {
      auto done = runtime.on_thread(0).spawn(look_for_modes(report, runtime, kPressured, false));
      runtime.run(until(std::move(done)));
    }) == 0);
  }
  CHECK((acknowledging.report().modes & kPressured) != 0);
  CHECK(acknowledging.report().hints > 0);
  Application deaf;
  // The kernel's own slices may end before a hint is late; Enforced mode's are deferred.
  set_mode(daemon, "enforced");
  {
    Load load(daemon.socket(), crowded_cpu(), {kSleeper, kRival}, nullptr);
    REQUIRE(deaf.play(daemon, [](Report& report, morpheus::runtime& runtime) {
      auto done = runtime.on_thread(0).spawn(look_for_modes(report, runtime, kDefensive, true));
      runtime.run(until(std::move(done)));
    }) == 0);
  }
  CHECK((deaf.report().modes & kDefensive) != 0);
  set_mode(daemon, "observer");
  // No load runs beside it, and other threads are gone before the worker has run for so long.
  set_tunables_ms(daemon, 900, 9000, 2000);
  control(daemon, "SetTunables", {{"min_run_ns", 100'000'000}});
  Application alone;
  REQUIRE(alone.play(daemon, [](Report& report, morpheus::runtime& runtime) {
    auto done = runtime.on_thread(0).spawn(look_for_modes(report, runtime, kDeterministic, false));
    runtime.run(until(std::move(done)));
  }) == 0);
  CHECK((alone.report().modes & kDeterministic) != 0);
}
