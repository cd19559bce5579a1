// SPDX-License-Identifier: GPL-2.0-only
// The C++ runtime on a real kernel: what its workers do when they are asked, when they lose the
// CPU, and when hints are lost. A child process plays the application, as an ordinary user, and
// tells what it saw. Only orders and counts are judged: under emulation times mean little.
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

#include "tests/kernel/machine.hpp"
#include "tests/programs/load.hpp"

using namespace morpheus::test;
using namespace std::chrono_literals;
using morpheus::task;
using Clock = std::chrono::steady_clock;

namespace {

constexpr ThreadSpec kSleeper{.manner = Manner::sleeper};
constexpr ThreadSpec kRival{.manner = Manner::rival};
constexpr auto kLongest = 60s;  // for one step of a test, on a slow machine

/// What the child tells.
struct Told {
  std::atomic<bool> was_asked, ran_elsewhere;
  std::atomic<std::uint64_t> taken_over, hints;
  std::atomic<unsigned> modes;  // one bit for each that was seen
  std::atomic<bool> is_deterministic_again;
};

/// Plays `application(what to tell, the runtime)` in a child process with two workers, the first on
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
        application(*told_, runtime);
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

  [[nodiscard]] const Told& told() const { return *told_; }
  Application() {
    void* const memory =
        ::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    told_ = new (memory) Told{};
  }
  ~Application() { ::munmap(told_, sizeof(Told)); }
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

 private:
  Told* told_;
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

/// Runs on the first worker, since the second one is held: queues tasks, takes plain safe points
/// until the kernel has asked before the watch has taken the tasks, lets the second worker go, and
/// makes no step until the tasks have run there.
task<> queue_until_asked(Told& told, std::atomic<bool>& free, const morpheus::runtime& runtime) {
  const auto end = Clock::now() + kLongest;
  while (!told.was_asked && Clock::now() < end) {
    std::atomic<int> ran{0};
    morpheus::scope scope;
    for (int i = 0; i < 10; ++i) scope.spawn(count(ran));
    for (int i = 0; i < 20 && !told.was_asked; ++i) {
      burn(50us);
      if (morpheus::checkpoint_here()) told.was_asked = runtime.stats()[0].handed_over > 0;
    }
    if (told.was_asked) {
      free = true;
      while (ran != 10 && Clock::now() < end) std::this_thread::yield();
      told.ran_elsewhere = ran == 10;
    }
    co_await scope.join();
  }
}

/// Plays on the first worker while the second one is held, until the play lets it go.
void run_beside_held(morpheus::runtime& runtime, Told& told,
                     task<> (*play)(Told&, std::atomic<bool>&, const morpheus::runtime&)) {
  std::atomic<bool> is_held{false}, free{false};
  auto held = runtime.on_thread(1).spawn(hold(is_held, free));
  while (!is_held) std::this_thread::sleep_for(1ms);
  runtime.run(play(told, free, runtime));
  free = true;
  runtime.run(until(std::move(held)));
}

void hand_over_when_asked(Told& told, morpheus::runtime& runtime) {
  run_beside_held(runtime, told, queue_until_asked);
}

/// Runs on the first worker, beside rivals that take its CPU away: queues tasks and makes no step.
task<> queue_and_go_on(Told& told, std::atomic<bool>& free, const morpheus::runtime& /*runtime*/) {
  std::atomic<int> ran{0};
  morpheus::scope scope;
  for (int i = 0; i < 4; ++i) scope.spawn(count(ran));
  free = true;
  for (const auto end = Clock::now() + kLongest; ran != 4 && Clock::now() < end;) burn(50us);
  told.ran_elsewhere = ran == 4;
  co_await scope.join();
}

void lose_the_cpu(Told& told, morpheus::runtime& runtime) {
  run_beside_held(runtime, told, queue_and_go_on);
  told.taken_over = runtime.stats()[0].taken_over;
}

task<> look_for_modes(Told& told, morpheus::runtime& runtime, unsigned wanted, bool is_deaf) {
  const auto end = Clock::now() + kLongest;
  while ((told.modes & wanted) != wanted && Clock::now() < end) {
    if (is_deaf) burn(100ms);  // far beyond the grace, without a safe point
    burn(50us);
    co_await morpheus::checkpoint();
    co_await morpheus::yield();
    told.modes |= 1U << runtime.stats()[0].mode;
  }
  told.hints = runtime.stats()[0].hints;
}

template <void (*kPlay)(Told&, morpheus::runtime&)>
void play_beside(const std::string& mode, std::vector<ThreadSpec> others, Told const*& told,
                 Application& application) {
  DaemonProcess daemon(Backend::bpf);
  if (mode == "enforced") set_mode(daemon, mode);
  Load load(daemon.socket(), crowded_cpu(), std::move(others), nullptr);
  REQUIRE(application.play(daemon, kPlay) == 0);
  told = &application.told();
}

void check_hand_over(const std::string& mode) {
  Application application;
  const Told* told = nullptr;
  play_beside<hand_over_when_asked>(mode, {kSleeper}, told, application);
  CHECK(told->was_asked);
  CHECK(told->ran_elsewhere);
}

void check_taking_over(const std::string& mode) {
  Application application;
  const Told* told = nullptr;
  play_beside<lose_the_cpu>(mode, {kRival, kRival}, told, application);
  CHECK(told->ran_elsewhere);
  CHECK(told->taken_over > 0);
}

}  // namespace

TEST_CASE("observer: a runtime that is asked lets another worker run what it has queued",
          "[observer]") {
  need_bpf();
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) SKIP("needs two CPUs");
  check_hand_over("observer");
}

TEST_CASE("enforced: a runtime that is asked lets another worker run what it has queued") {
  need_sched_ext();
  check_hand_over("enforced");
}

TEST_CASE("observer: what waits behind a worker that lost its CPU is run by another one",
          "[observer]") {
  need_bpf();
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) SKIP("needs two CPUs");
  check_taking_over("observer");
}

TEST_CASE("enforced: what waits behind a worker that lost its CPU is run by another one") {
  need_sched_ext();
  check_taking_over("enforced");
}

TEST_CASE("enforced: the runtime's modes follow what the kernel does") {
  need_sched_ext();
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) SKIP("needs two CPUs");
  DaemonProcess daemon(Backend::bpf);
  constexpr unsigned kDeterministic = 1U << MORPHEUS_DETERMINISTIC,
                     kPressured = 1U << MORPHEUS_PRESSURED, kDefensive = 1U << MORPHEUS_DEFENSIVE;
  Application answering;
  {
    Load load(daemon.socket(), crowded_cpu(), {kSleeper}, nullptr);
    REQUIRE(answering.play(daemon, [](Told& told, morpheus::runtime& runtime) {
      auto done = runtime.on_thread(0).spawn(look_for_modes(told, runtime, kPressured, false));
      runtime.run(until(std::move(done)));
    }) == 0);
  }
  CHECK((answering.told().modes & kPressured) != 0);
  CHECK(answering.told().hints > 0);
  Application deaf;
  set_mode(
      daemon,
      "enforced");  // the kernel's own slices may end before a hint is late: ours wait for that
  {
    Load load(daemon.socket(), crowded_cpu(), {kSleeper, kRival}, nullptr);
    REQUIRE(deaf.play(daemon, [](Told& told, morpheus::runtime& runtime) {
      auto done = runtime.on_thread(0).spawn(look_for_modes(told, runtime, kDefensive, true));
      runtime.run(until(std::move(done)));
    }) == 0);
  }
  CHECK((deaf.told().modes & kDefensive) != 0);
  set_mode(daemon, "observer");
  // Nobody is beside it, and what passes is gone before the worker has run for so long.
  set_tunables_ms(daemon, 900, 9000, 2000);
  control(daemon, "SetTunables", {{"min_run_ns", 100'000'000}});
  Application alone;
  REQUIRE(alone.play(daemon, [](Told& told, morpheus::runtime& runtime) {
    auto done = runtime.on_thread(0).spawn(look_for_modes(told, runtime, kDeterministic, false));
    runtime.run(until(std::move(done)));
  }) == 0);
  CHECK((alone.told().modes & kDeterministic) != 0);
}
