// SPDX-License-Identifier: GPL-2.0-only
// A scheduler that the kernel ends: what the operator learns, and what the daemon does next.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/kernel/crowd.hpp"
#include "tests/kernel/machine.hpp"

using namespace morpheus::test;

namespace {

/// Changes a setting of the kernel, and changes it back at the end.
class Setting {
 public:
  Setting(const std::string& path, const std::string& value) : path_(path) {
    std::ifstream(path_) >> before_;
    std::ofstream(path_) << value << std::flush;
  }
  ~Setting() { std::ofstream(path_) << before_ << std::flush; }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  std::string path_, before_;
};

Json scheduler(const DaemonProcess& daemon) { return control(daemon, "GetStatus")["scheduler"]; }

}  // namespace

TEST_CASE("enforced: a starved thread gets the scheduler ejected, told and restarted") {
  need_sched_ext();
  // the time that the kernel withholds from real-time threads would save the thread
  const Setting throttle("/proc/sys/kernel/sched_rt_runtime_us", "-1");
  const auto server =
      "/sys/kernel/debug/sched/ext_server/cpu" + std::to_string(crowded_cpu()) + "/runtime";
  std::unique_ptr<Setting> no_server;
  if (std::filesystem::exists(server)) no_server = std::make_unique<Setting>(server, "0");

  // the canary would be faster than the kernel
  OwnDaemon daemon(Json{{"canary", {{"starved_ms", 0}}}});
  set_mode(daemon, "enforced");
  Crowd load(daemon, {kRival});
  {
    const RealTimeThread hog(crowded_cpu());
    REQUIRE(eventually([&] { return scheduler(daemon)["ejections"] > 0; }));
    const auto last_exit = control(daemon, "GetLastExit");
    CHECK(last_exit["cause"] == "EJECTED");
    INFO(last_exit["reason"] << ": " << last_exit["message"]);
    CHECK(last_exit["reason"].get<std::string>().find("stall") != std::string::npos);
    CHECK(last_exit["message"].get<std::string>().find("failed to run for") != std::string::npos);
    const auto dump = last_exit["dump"].get<std::string>();
    CHECK(dump.find("CPU states") != std::string::npos);
    CHECK(dump.find("hold cap 100000000 ns") != std::string::npos);  // from here on, ours
    CHECK(dump.find("bound threads: ") != std::string::npos);
    CHECK(dump.find(" ns of virtual time, weight 1048576 of 1048576, worker 0") !=
          std::string::npos);
    CHECK(daemon.ctl({"last-exit"}).out.find("stall") != std::string::npos);
  }
  REQUIRE(eventually([&] { return scheduler(daemon)["attached"] == true; }));
  CHECK(sched_ext_ops() == "morpheus");
  CHECK(daemon.log().find("attached the scheduler again") != std::string::npos);
  const auto before = load.seen(0).cpu_ns;
  CHECK(eventually([&] { return load.seen(0).cpu_ns > before; }));
}

TEST_CASE("enforced: what the administrator ends by sysrq is not started again") {
  need_sched_ext();
  OwnDaemon daemon;
  set_mode(daemon, "enforced");
  std::ofstream("/proc/sysrq-trigger") << "S" << std::flush;
  REQUIRE(eventually([&] { return sched_ext_state() == "disabled"; }));
  REQUIRE(eventually([&] { return control(daemon, "GetLastExit")["cause"] == "ORDERED"; }));
  ::sleep(3);  // longer than the first pause
  CHECK(sched_ext_state() == "disabled");
  CHECK(scheduler(daemon)["attached"] == false);
  CHECK(daemon.ctl({"status"}).status == 4);
  set_mode(daemon, "enforced");
  CHECK(scheduler(daemon)["attached"] == true);
}

TEST_CASE("enforced: a CPU that goes and comes back restarts the scheduler") {
  need_sched_ext();
  const auto online = "/sys/devices/system/cpu/cpu" + std::to_string(crowded_cpu()) + "/online";
  if (!std::filesystem::exists(online)) SKIP("no CPU here can be taken offline");
  OwnDaemon daemon;
  set_mode(daemon, "enforced");
  {
    const Setting off(online, "0");
    REQUIRE(eventually([&] { return control(daemon, "GetLastExit")["cause"] == "RESTART"; }));
  }
  REQUIRE(eventually([&] { return scheduler(daemon)["attached"] == true; }));
  CHECK(scheduler(daemon)["ejections"] == 0);
}

TEST_CASE("suspend: Enforced mode goes on after the machine has slept") {
  if (std::getenv("MORPHEUS_MAY_SUSPEND") == nullptr)
    SKIP("only in a machine of its own, see tests/runner/jobs.py");
  OwnDaemon daemon;
  set_mode(daemon, "enforced");
  Crowd load(daemon, {kWorker, kSleeper});
  const auto before = load.hints(0);
  REQUIRE(eventually([&] { return load.hints(0) > before + 5; }));
  std::ofstream("/sys/class/rtc/rtc0/wakealarm") << "+5" << std::flush;
  std::ofstream state("/sys/power/state");
  REQUIRE(state << "mem" << std::flush);
  // all CPUs but one are taken offline for the sleep
  REQUIRE(eventually([&] { return control(daemon, "GetLastExit")["cause"] == "RESTART"; }));
  CHECK(eventually([&] { return scheduler(daemon)["attached"] == true; }));
  CHECK(sched_ext_ops() == "morpheus");
  CHECK(scheduler(daemon)["ejections"] == 0);
  CHECK_FALSE(worker(daemon, load.tid(0)).is_null());
  const auto after = load.hints(0);
  CHECK(eventually([&] { return load.hints(0) > after + 5; }));
}
