// SPDX-License-Identifier: GPL-2.0-only
#include "tests/kernel/machine.hpp"

#include <bpf/bpf.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

#include "proto/unique_fd.hpp"
#include "tests/programs/control_group.hpp"

namespace morpheus::test {
namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

struct Shared {
  DaemonProcess daemon{Backend::bpf};
  Json tunables;  // as they were at its start
};

std::optional<Shared>& shared() {
  static std::optional<Shared> shared;
  return shared;
}

class EndOfShared : public Catch::EventListenerBase {
 public:
  using EventListenerBase::EventListenerBase;
  void testCaseEnded(const Catch::TestCaseStats& test) override {
    if (!test.totals.assertions.allOk()) shared().reset();
  }
  void testRunEnded(const Catch::TestRunStats& /*run*/) override { shared().reset(); }
};
CATCH_REGISTER_LISTENER(EndOfShared)

/// `config`, where a daemon with it can load its BPF programs and is the only one.
const Json& where_bpf_loads(const Json& config) {
  need_bpf();
  end_shared_daemon();
  return config;
}

}  // namespace

void need_bpf() {
  if (::geteuid() != 0) SKIP("needs root to load BPF programs");
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) SKIP("this kernel has no BTF");
  // The least that can be loaded: if more fails to load, that is no reason to skip.
  bpf_insn program[2] = {};  // return 0
  program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  program[1].code = BPF_JMP | BPF_EXIT;
  const UniqueFd loaded(
      bpf_prog_load(BPF_PROG_TYPE_KPROBE, "probe", "GPL", program, std::size(program), nullptr));
  if (!loaded) SKIP("BPF programs cannot be loaded here: " << std::strerror(errno));
}

void need_sched_ext() {
  need_bpf();
  if (::access("/sys/kernel/sched_ext/state", R_OK) != 0) SKIP("this kernel has no sched_ext");
}

void need_control_groups() {
  need_sched_ext();
  if (!ControlGroup::can_be_made()) SKIP("there is no cgroup v2 here");
}

RealTimeThread::RealTimeThread(unsigned cpu, std::chrono::milliseconds pause) : pid_(::fork()) {
  using std::chrono::steady_clock;
  REQUIRE(pid_ >= 0);
  if (pid_ != 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  const sched_param priority{.sched_priority = 10};
  if (::sched_setaffinity(0, sizeof(set), &set) != 0 ||
      ::sched_setscheduler(0, SCHED_FIFO, &priority) != 0)
    ::_exit(90);
  for (;;) {
    const auto end = steady_clock::now() + std::chrono::microseconds(100);
    while (steady_clock::now() < end) {
    }
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
  }
}

RealTimeThread::~RealTimeThread() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

unsigned crowded_cpu() { return static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN)) - 1; }

namespace {

/// Since the start.
std::uint64_t timer_interrupts(unsigned cpu) {
  std::ifstream file("/proc/interrupts");
  const auto words = [&] {
    std::string line;
    std::getline(file, line);
    std::istringstream in(line);
    return std::vector<std::string>(std::istream_iterator<std::string>(in), {});
  };
  const auto cpus = words();  // only those online have a column
  const auto column = std::ranges::find(cpus, "CPU" + std::to_string(cpu)) - cpus.begin();
  while (file) {
    const auto row = words();
    if (!row.empty() && row.front() == "LOC:") return std::stoull(row.at(1 + column));
  }
  FAIL("/proc/interrupts has no line of the local timer");
  return 0;
}

}  // namespace

void check_interrupts(std::uint64_t below) {
  const auto interrupts = [] {
    const auto before = timer_interrupts(crowded_cpu());
    std::this_thread::sleep_for(std::chrono::seconds(2));
    return timer_interrupts(crowded_cpu()) - before;
  };
  CHECK(measure_until(interrupts, [&](auto seen) { return seen < below; }) < below);
}

std::string sched_ext_state() { return first_line("/sys/kernel/sched_ext/state"); }
std::string sched_ext_ops() { return first_line("/sys/kernel/sched_ext/root/ops"); }

Json control(const DaemonProcess& daemon, const std::string& method, const Json& in) {
  auto client = daemon.connect();
  // an emulated machine stands still for seconds now and then
  auto reply = client.call("io.morpheus.Control." + method, in, {}, std::chrono::minutes(1));
  if (!reply) FAIL(method << ": " << reply.error().text());
  return reply->parameters;
}

void set_mode(const DaemonProcess& daemon, const std::string& mode) {
  control(daemon, "SetMode", {{"mode", mode}});
}

void set_tunables_ms(const DaemonProcess& daemon, double slice, double grace, double hold_cap) {
  const auto ns = [](double ms) { return static_cast<std::int64_t>(ms * 1e6); };
  control(daemon, "SetTunables",
          {{"slice_ns", ns(slice)}, {"grace_ns", ns(grace)}, {"hold_cap_ns", ns(hold_cap)}});
}

Json worker(const DaemonProcess& daemon, pid_t tid) {
  const auto reply = control(daemon, "ListWorkers");
  for (const auto& worker : reply["workers"])
    if (worker["tid"] == tid) return worker;
  return nullptr;
}

Json throttling(const std::string& group, unsigned percent, unsigned penalty_ms) {
  return {
      {"throttle", {{"cgroups", {"/" + group}}, {"percent", percent}, {"penalty_ms", penalty_ms}}}};
}

const DaemonProcess& observing_daemon() {
  need_bpf();
  if (!shared()) {
    auto& begun = shared().emplace();
    begun.tunables = control(begun.daemon, "GetTunables")["tunables"];
  }
  const auto& daemon = shared()->daemon;
  set_mode(daemon, "observer");
  control(daemon, "SetTunables", shared()->tunables);
  REQUIRE(eventually([&] { return control(daemon, "GetStatus")["clients"] == 0; }));
  return daemon;
}

const DaemonProcess& enforcing_daemon() {
  need_sched_ext();
  const auto& daemon = observing_daemon();
  set_mode(daemon, "enforced");
  return daemon;
}

void end_shared_daemon() { shared().reset(); }

OwnDaemon::OwnDaemon(const Json& config) : DaemonProcess(where_bpf_loads(config), Backend::bpf) {}

}  // namespace morpheus::test
