// SPDX-License-Identifier: GPL-2.0-only
// Daemons and clients that die at a bad moment, and threads that starve: the host gets itself back,
// and nothing is lost. MORPHEUS_CRASHES says how often something is killed (./dev test: 4 times,
// ./dev test --all: 100 times). In Observer mode one daemon of four comes up and the others die
// while they load, which takes long where the kernel is emulated; in Enforced mode it is the other
// way round.
#include <bpf/bpf.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>

#include "proto/unique_fd.hpp"
#include "tests/kernel/crowd.hpp"
#include "tests/kernel/machine.hpp"
#include "tests/programs/control_group.hpp"
#include "tests/programs/load.hpp"

using namespace morpheus::test;
using Clock = std::chrono::steady_clock;

namespace {

/// Has its group throttled.
constexpr ThreadSpec kOffender{
    .manner = Manner::deaf, .escapable = true, .policy = MORPHEUS_POLICY_HYBRID};

int crashes() {
  const char* count = std::getenv("MORPHEUS_CRASHES");
  return count != nullptr ? std::atoi(count) : 10;
}

void wait_up_to_ms(std::minstd_rand& random, unsigned most) { ::usleep(random() % (most * 1000)); }

/// Whether the daemon has registered the first `workers` threads.
bool attached_again(const DaemonProcess& daemon, const Load& load, std::size_t workers = 2) {
  while (workers > 0 && !worker(daemon, load.tid(workers - 1)).is_null()) --workers;
  return workers == 0;
}

void check_threads(const Load& load) {
  for (std::size_t i = 0; i < load.size(); ++i) REQUIRE(load.seen(i).policy == SCHED_OTHER);
  const auto passed = load.safe_points(0);
  REQUIRE(eventually([&] { return load.safe_points(0) > passed; }));
}

/// How many seconds pass from a daemon's first answer until it has the workers of a load again.
class Returns {
 public:
  void await(DaemonProcess& daemon, const Load& load, std::size_t workers) {
    daemon.await_answer();
    const auto up = Clock::now();
    REQUIRE(eventually([&] { return attached_again(daemon, load, workers); }));
    seconds_.push_back(std::chrono::duration<double>(Clock::now() - up).count());
  }
  /// The median: a machine may stand still for a while.
  void check_within_a_second() {
    REQUIRE_FALSE(seconds_.empty());
    std::ranges::sort(seconds_);
    WARN("seconds until all workers were back, of " << seconds_.size() << " times: median "
                                                    << median() << ", longest " << seconds_.back());
    CHECK(median() < 1.0);
  }

 private:
  [[nodiscard]] double median() const { return seconds_[seconds_.size() / 2]; }
  std::vector<double> seconds_;
};

template <int (*Next)(__u32, __u32*)>
int count_objects() {
  int count = 0;
  for (__u32 id = 0; Next(id, &id) == 0;) ++count;
  return count;
}

/// The BPF objects in the kernel, of all owners.
struct KernelObjects {
  int programs = count_objects<bpf_prog_get_next_id>();
  int links = count_objects<bpf_link_get_next_id>();
  int maps = count_objects<bpf_map_get_next_id>();
  bool operator==(const KernelObjects&) const = default;
};

/// The same without a daemon, once those of earlier ones are gone: the kernel frees them a while
/// later.
KernelObjects settled_objects() {
  end_shared_daemon();
  KernelObjects settled;
  for (int looks = 0, quiet = 0; looks < 100 && quiet < 10; ++looks) {
    ::usleep(100'000);
    const KernelObjects now;
    quiet = now == settled ? quiet + 1 : 0;
    settled = now;
  }
  return settled;
}

/// No object that runs is left, and none is pinned. Clients may still hold maps, as those with
/// their lines on Linux 6.12.
bool nothing_runs_beyond(const KernelObjects& before) {
  const KernelObjects now;
  std::error_code no_such_file_system;
  return now.programs <= before.programs && now.links <= before.links &&
         std::filesystem::is_empty("/sys/fs/bpf", no_such_file_system);
}

bool nothing_is_left_beyond(const KernelObjects& before) {
  return nothing_runs_beyond(before) && KernelObjects().maps <= before.maps;
}

std::size_t open_descriptors(pid_t pid) {
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// The same, once the connections of earlier calls are closed.
std::size_t settled_descriptors(pid_t pid) {
  std::size_t fewest = open_descriptors(pid);
  for (int looks = 0; looks < 20; ++looks) {
    ::usleep(50'000);
    fewest = std::min(fewest, open_descriptors(pid));
  }
  return fewest;
}

/// A group that the daemon may throttle, and its bound before that.
struct Offenders {
  ControlGroup group{"morpheus-crashes"};
  std::string limit = group.read("cpu.max");
  static Json config() { return throttling("morpheus-crashes", 20, 60'000); }
};

/// Kills a daemon and finds the host as it was without one.
void kill_and_check(DaemonProcess& daemon, const KernelObjects& before, const Load& load) {
  daemon.stop(SIGKILL);
  REQUIRE(eventually([] { return sched_ext_state() == "disabled"; }));
  const bool nothing_left = eventually([&] { return nothing_runs_beyond(before); });
  const KernelObjects now;
  INFO("programs " << now.programs << " (" << before.programs << " before), links " << now.links
                   << " (" << before.links << ")");
  REQUIRE(nothing_left);
  check_threads(load);
}

/// Every fourth time the mode has begun to change back when this returns.
void enforce_for_a_while(const DaemonProcess& daemon, std::minstd_rand& random, int round) {
  set_mode(daemon, "enforced");
  REQUIRE(sched_ext_ops().starts_with("morpheus"));
  wait_up_to_ms(random, round % 2 == 0 ? 500 : 50);
  if (round % 4 != 3) return;
  auto client = daemon.connect();
  (void)client.call_more("io.morpheus.Control.SetMode", {{"mode", "observer"}});
}

}  // namespace

TEST_CASE("observer: killed with -9 again and again, every worker comes back", "[observer]") {
  OwnDaemon daemon;
  Crowd load(daemon, {kConsentingWorker, kConsentingWorker, kSleeper});
  std::minstd_rand random(1);
  Returns returns;
  for (int i = 0; i < crashes(); ++i) {
    wait_up_to_ms(random, 500);
    daemon.stop(SIGKILL);
    check_threads(load);
    daemon.launch();
    if (i % 4 == 3) returns.await(daemon, load, 2);
  }
  if (crashes() < 4) SKIP("fewer than four kills were asked for");
  returns.check_within_a_second();
}

TEST_CASE("enforced: killed with -9 again and again, the host gets itself back each time") {
  need_control_groups();
  const auto before = settled_objects();
  {
    const Offenders offenders;
    OwnDaemon daemon(Offenders::config());
    Crowd load(daemon, {kConsentingWorker, kConsentingWorker, kSleeper});
    offenders.group.take(load.pid());
    std::optional<Crowd> deaf;
    const auto descriptors = open_descriptors(load.pid());
    std::minstd_rand random(2);
    Returns returns;
    for (int i = 0; i < crashes(); ++i) {
      enforce_for_a_while(daemon, random, i);
      if (i % 4 == 0) {  // while their group is throttled
        // A new load: a thread that never comes to a safe point never takes its consent to the next
        // daemon.
        deaf.reset();
        deaf.emplace(daemon, std::vector{kOffender});
        offenders.group.take(deaf->pid());
        REQUIRE(eventually([&] { return worker(daemon, deaf->tid(0)).value("throttles", 0) > 0; }));
      }
      kill_and_check(daemon, before, load);
      REQUIRE(offenders.group.read("cpu.max") == offenders.limit);
      daemon.launch();
      if (i % 4 == 3) {  // while it loads
        wait_up_to_ms(random, 2000);
        kill_and_check(daemon, before, load);
        daemon.launch();
      }
      returns.await(daemon, load, 2);
      REQUIRE(eventually([&] { return open_descriptors(load.pid()) == descriptors; }));
    }
    returns.check_within_a_second();
  }
  CHECK(eventually([&] { return nothing_is_left_beyond(before); }));
}

// With this scope the daemon gives threads another policy, and a daemon that is killed cannot take
// it back: until the next one does, the kernel runs them as ordinary threads.
TEST_CASE("scope workers: killed with -9, the next daemon gives the workers their policy back") {
  need_sched_ext();
  const auto before = settled_objects();
  OwnDaemon daemon(Json{{"scope", "workers"}});
  Crowd load(daemon, {kConsentingWorker, kConsentingWorker, kSleeper});
  for (int i = 0; i < std::max(1, crashes() / 10); ++i) {
    set_mode(daemon, "enforced");
    REQUIRE(load.seen(0).policy != SCHED_OTHER);
    daemon.stop(SIGKILL);
    REQUIRE(eventually([] { return sched_ext_state() == "disabled"; }));
    REQUIRE(eventually([&] { return nothing_runs_beyond(before); }));
    const auto passed = load.safe_points(0);
    REQUIRE(eventually([&] { return load.safe_points(0) > passed; }));
    daemon.start();
    REQUIRE(eventually([&] { return attached_again(daemon, load); }));
    check_threads(load);
  }
}

TEST_CASE("observer: clients killed with -9 at random moments leave nothing behind", "[observer]") {
  const auto& daemon = observing_daemon();
  std::minstd_rand random(3);
  for (int i = 0; i < crashes(); ++i) {
    const Crowd load(daemon, {kConsentingWorker, kConsentingWorker, kSleeper});
    wait_up_to_ms(random, 50);  // then it is killed
  }
  CHECK(eventually([&] { return control(daemon, "GetStatus")["workers"] == 0; }));
  CHECK(control(daemon, "GetStatus")["clients"] == 0);
}

TEST_CASE("enforced: clients killed with -9 at random moments leave nothing behind") {
  need_control_groups();
  const auto before = settled_objects();
  {
    const Offenders offenders;
    OwnDaemon daemon(Offenders::config());
    const Crowd bystander(daemon, {kConsentingWorker, kConsentingWorker, kSleeper});
    set_mode(daemon, "enforced");
    REQUIRE(eventually([&] { return attached_again(daemon, bystander); }));
    const auto descriptors = settled_descriptors(daemon.pid());
    const KernelObjects with_bystander;
    std::minstd_rand random(4);
    for (int i = 0; i < crashes(); ++i) {
      const Crowd load(daemon, {kConsentingWorker, kOffender, kSleeper});
      offenders.group.take(load.pid());
      wait_up_to_ms(random, 100);  // then it is killed
    }
    CHECK(eventually([&] { return control(daemon, "GetStatus")["workers"] == 2; }));
    CHECK(control(daemon, "GetStatus")["clients"] == 1);
    CHECK(sched_ext_ops().starts_with("morpheus"));
    CHECK(eventually([&] { return open_descriptors(daemon.pid()) == descriptors; }));
    CHECK(eventually([&] { return KernelObjects() == with_bystander; }));
    CHECK(offenders.group.read("cpu.max") == offenders.limit);
    check_threads(bystander);
  }
  CHECK(eventually([&] { return nothing_is_left_beyond(before); }));
}

TEST_CASE(
    "enforced: the canary ends a mode in which normal threads starve, and it is refused for a "
    "while") {
  need_sched_ext();
  // here critical sections may hold a CPU for two seconds, and the canary waits for 0.8 s
  OwnDaemon daemon(Json{{"canary", {{"starved_ms", 800}, {"refuse_s", 3600}}}});
  set_tunables_ms(daemon, 5, 10, 2000);
  set_mode(daemon, "enforced");
  constexpr ThreadSpec kHolder{.manner = Manner::critical};
  const Crowd load(daemon, {kHolder, kHolder, kHolder, kSleeper});
  REQUIRE(eventually([] { return sched_ext_state() == "disabled"; }));
  REQUIRE(eventually([&] { return control(daemon, "GetStatus")["mode"] == "observer"; }));
  const auto scheduler = control(daemon, "GetStatus")["scheduler"];
  CHECK(scheduler["last_exit"].get<std::string>().find("canary") != std::string::npos);
  CHECK(scheduler["enforced_available"] == false);
  auto client = daemon.connect();
  const auto refused = client.call("io.morpheus.Control.SetMode", {{"mode", "enforced"}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().parameters["reason"].get<std::string>().find("refused for another") !=
        std::string::npos);
  CHECK(sched_ext_state() == "disabled");
  CHECK(daemon.log().find("canary") != std::string::npos);
}
