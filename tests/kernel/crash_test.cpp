// SPDX-License-Identifier: GPL-2.0-only
// What dies at a bad moment, and what starves: the host gets itself back, and nobody loses anything. How often things
// are killed: MORPHEUS_CRASHES (./dev test: 4; ./dev test --all kills 100 times).
#include <bpf/bpf.h>
#include <sched.h>
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "proto/unique_fd.hpp"
#include "tests/programs/load.hpp"
#include "tests/kernel/machine.hpp"

using namespace morpheus::test;

namespace {

constexpr ThreadSpec kWorker{.manner = Manner::cooperative, .escapable = true};
constexpr ThreadSpec kSleeper{.manner = Manner::sleeper};

int crashes() {
  const char* count = std::getenv("MORPHEUS_CRASHES");
  return count != nullptr ? std::atoi(count) : 10;
}

void wait_up_to_ms(std::minstd_rand& random, unsigned most) { ::usleep(random() % (most * 1000)); }

bool attached_again(const DaemonProcess& daemon, const Load& load) {
  return !worker(daemon, load.tid(0)).is_null() && !worker(daemon, load.tid(1)).is_null();
}

void check_threads(const Load& load) {
  for (const std::size_t i : {0, 1, 2}) REQUIRE(load.seen(i).policy == SCHED_OTHER);
  const auto passed = load.safe_points(0);
  REQUIRE(eventually([&] { return load.safe_points(0) > passed; }));
}

// Programs of ours that the kernel has, whoever loaded them.
int programs_in_kernel() {
  int count = 0;
  __u32 id = 0;
  while (bpf_prog_get_next_id(id, &id) == 0) {
    const morpheus::UniqueFd program(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    if (program && bpf_prog_get_info_by_fd(program.get(), &info, &size) == 0 &&
        (std::string_view(info.name) == "on_migrate" || std::string_view(info.name) == "morpheus_tick"))
      ++count;
  }
  return count;
}

// No cgroup has a limit that this host did not start with.
bool nothing_throttled() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("/sys/fs/cgroup", ignored)) {
    if (entry.path().filename() != "cpu.max") continue;
    std::string quota;
    std::ifstream(entry.path()) >> quota;
    if (!quota.empty() && quota != "max") return false;
  }
  return true;
}

}  // namespace

TEST_CASE("observer: killed with -9 again and again, every worker comes back", "[observer]") {
  need_bpf();
  DaemonProcess daemon(Backend::bpf);
  Load load(daemon.socket(), crowded_cpu(), {kWorker, kWorker, kSleeper}, nullptr);
  std::minstd_rand random(1);
  std::vector<double> seconds;
  for (int i = 0; i < crashes(); ++i) {
    wait_up_to_ms(random, 200);
    daemon.stop(SIGKILL);
    check_threads(load);
    daemon.start();
    const auto answered = std::chrono::steady_clock::now();
    REQUIRE(eventually([&] { return attached_again(daemon, load); }));
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - answered).count());
  }
  // the library waits for a second at most between two attempts
  std::ranges::sort(seconds);
  INFO("seconds until all workers were back: median " << seconds[seconds.size() / 2] << ", longest " << seconds.back());
  CHECK(seconds[seconds.size() / 2] < 1.0);
}

TEST_CASE("enforced: killed with -9 again and again, the host gets itself back each time") {
  need_sched_ext();
  DaemonProcess daemon(Backend::bpf);
  Load load(daemon.socket(), crowded_cpu(), {kWorker, kWorker, kSleeper}, nullptr);
  REQUIRE(nothing_throttled());
  std::minstd_rand random(2);
  for (int i = 0; i < crashes(); ++i) {
    // while the scheduler is attached, comes or goes
    set_mode(daemon, "enforced");
    if (i % 3 == 0) {
      auto client = daemon.connect();
      (void)client.call_more("io.morpheus.Control.SetMode", {{"mode", "observer"}});
    } else {
      wait_up_to_ms(random, 500);
    }
    daemon.stop(SIGKILL);
    REQUIRE(eventually([] { return sched_ext_state() == "disabled"; }));
    REQUIRE(eventually([] { return programs_in_kernel() == 0; }));
    check_threads(load);
    REQUIRE(nothing_throttled());
    daemon.start();
    REQUIRE(eventually([&] { return attached_again(daemon, load); }));
  }
}

TEST_CASE("observer: clients killed with -9 at random moments leave nothing behind", "[observer]") {
  need_bpf();
  DaemonProcess daemon(Backend::bpf);
  std::minstd_rand random(3);
  for (int i = 0; i < crashes(); ++i) {
    const Load load(daemon.socket(), crowded_cpu(), {kWorker, kWorker, kSleeper}, nullptr);
    wait_up_to_ms(random, 50);  // then it is killed
  }
  CHECK(eventually([&] { return control(daemon, "GetStatus")["workers"] == 0; }));
  CHECK(control(daemon, "GetStatus")["clients"] == 0);
}

TEST_CASE("enforced: the canary ends a mode in which normal threads starve, and it is refused for a while") {
  need_sched_ext();
  // critical sections may hold a CPU for two seconds here, and the canary waits for one
  DaemonProcess daemon({{"canary", {{"starved_ms", 800}, {"refuse_s", 3600}}}}, Backend::bpf);
  set_tunables_ms(daemon, 5, 10, 2000);
  set_mode(daemon, "enforced");
  constexpr ThreadSpec kHolder{.manner = Manner::critical};
  const Load load(daemon.socket(), crowded_cpu(), {kHolder, kHolder, kHolder, kSleeper}, nullptr);
  REQUIRE(eventually([] { return sched_ext_state() == "disabled"; }));
  REQUIRE(eventually([&] { return control(daemon, "GetStatus")["mode"] == "observer"; }));
  const auto scheduler = control(daemon, "GetStatus")["scheduler"];
  CHECK(scheduler["last_exit"].get<std::string>().find("canary") != std::string::npos);
  CHECK(scheduler["enforced_available"] == false);
  auto client = daemon.connect();
  const auto refused = client.call("io.morpheus.Control.SetMode", {{"mode", "enforced"}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().parameters["reason"].get<std::string>().find("refused for another") != std::string::npos);
  CHECK(sched_ext_state() == "disabled");
  CHECK(daemon.log().find("canary") != std::string::npos);
}
