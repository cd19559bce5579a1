// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/diagnosis.hpp"

#include <zlib.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

using morpheus::Json;
using namespace morpheus::ctl;
namespace fs = std::filesystem;

namespace {

HostFacts good_host() {
  HostFacts host;
  host.kernel_release = "7.3.4+deb14-cloud-amd64";
  host.has_btf = host.has_pressure = host.has_cgroup2 = true;
  host.sched_ext_state = "disabled";
  host.ext_server_runtime_ns = 50'000'000;
  host.ext_server_period_ns = 1'000'000'000;
  host.real_time_limit = 99;
  host.file_limit = 131'072;
  return host;
}

DaemonFacts running(Json status = Json::object()) {
  DaemonFacts daemon;
  daemon.runs = true;
  daemon.status = {{"version", MORPHEUS_PROJECT_VERSION},
                   {"mode", "observer"},
                   {"backend", "bpf"},
                   {"scheduler", {{"attached", false}}}};
  daemon.status.update(status);
  daemon.clients = Json::array();
  return daemon;
}

Finding found(const std::vector<Finding>& findings, const std::string& what) {
  for (const auto& finding : findings)
    if (finding.what == what) return finding;
  FAIL("no line about " << what);
  return {};
}

ExitStatus verdict_on(const HostFacts& host, const DaemonFacts& daemon) {
  return status_of(diagnose(host, daemon), daemon);
}

// A change of a good host, and the line that it must get.
constexpr std::uint64_t kPerfmonAndBpf = 3ull << 38;
const struct {
  const char* what;
  Verdict verdict;
  const char* says;
  void (*change)(HostFacts&);
} kHostCases[]{
    {"kernel config", Verdict::note, "not found", [](HostFacts&) {}},
    {"kernel config", Verdict::note, "lacks CONFIG_BPF_SYSCALL",
     [](HostFacts& h) { h.config = {{"CONFIG_PSI", "y"}}; }},
    {"kernel config", Verdict::note, "CONFIG_PSI",
     [](HostFacts& h) { h.config = {{"CONFIG_PSI", "m"}}; }},
    {"BTF", Verdict::bad, "does not describe", [](HostFacts& h) { h.has_btf = false; }},
    {"ext_server", Verdict::good, " 5 %", [](HostFacts&) {}},
    {"ext_server", Verdict::good, " 10 %",
     [](HostFacts& h) { h.ext_server_period_ns = 500'000'000; }},
    {"ext_server", Verdict::note, "switched off",
     [](HostFacts& h) { h.ext_server_runtime_ns = 0; }},
    {"ext_server", Verdict::note, "none visible",
     [](HostFacts& h) { h.ext_server_runtime_ns.reset(); }},
    {"isolated CPUs", Verdict::limited, "CPUs 2-3 are isolated",
     [](HostFacts& h) { h.isolated_cpus = "2-3"; }},
    {"PSI", Verdict::limited, "off", [](HostFacts& h) { h.has_pressure = false; }},
    {"cgroups", Verdict::good, "version 2", [](HostFacts&) {}},
    {"cgroups", Verdict::note, "1 and 2", [](HostFacts& h) { h.has_cgroup1 = true; }},
    {"cgroups", Verdict::limited, "not mounted", [](HostFacts& h) { h.has_cgroup2 = false; }},
    {"lockdown", Verdict::bad, "confidentiality",
     [](HostFacts& h) { h.lockdown = "confidentiality"; }},
    {"capabilities", Verdict::note, "does not have both", [](HostFacts&) {}},
    {"capabilities", Verdict::note, "does not have both",
     [](HostFacts& h) { h.capabilities = 1ull << 38; }},
    {"capabilities", Verdict::note, "does not have both",
     [](HostFacts& h) { h.capabilities = 1ull << 39; }},
    {"capabilities", Verdict::good, "this process has",
     [](HostFacts& h) { h.capabilities = kPerfmonAndBpf; }},
    {"real time", Verdict::note, "no thread real-time",
     [](HostFacts& h) { h.real_time_limit = 89; }},
    {"hidepid", Verdict::note, "(hidepid=invisible): events and the log lack",
     [](HostFacts& h) { h.hidepid = "invisible"; }},
    {"hidepid", Verdict::limited, "finds no threads but its own",
     [](HostFacts& h) {
       h.hidepid = "2";
       h.kernel_release = "6.12.95+deb13-amd64";
     }},
    {"open files", Verdict::note, "at most 1024", [](HostFacts& h) { h.file_limit = 1024; }},
    {"memory", Verdict::note, "may use 64 MiB",
     [](HostFacts& h) { h.memory_limit_bytes = 64u << 20; }},
    {"CPU limit", Verdict::note, "is bounded", [](HostFacts& h) { h.has_cpu_limit = true; }},
    {"rseq slices", Verdict::note, "offers no", [](HostFacts&) {}},
    {"rseq slices", Verdict::note, "may ask", [](HostFacts& h) { h.slice_extension = 0; }},
};

}  // namespace

TEST_CASE("on a good host all is well") {
  CHECK(verdict_on(good_host(), running()) == ExitStatus::ok);
  CHECK(verdict_on(good_host(), {}) == ExitStatus::not_running);
}

TEST_CASE("every line about something wrong says what to do") {
  HostFacts host;
  host.kernel_release = "6.1.0";
  host.config = {{"CONFIG_PSI", "m"}};
  host.lockdown = "confidentiality";
  auto daemon = running({{"version", "9.9"},
                         {"backend", "fake"},
                         {"mode", "enforced"},
                         {"counters", {{"events_dropped", 3}}}});
  daemon.clients = Json::array({{{"name", "old"}, {"pid", 5}, {"library", "0.0.9"}}});
  const auto findings = diagnose(host, daemon);
  CHECK(findings.size() >= 12);
  for (const auto& finding : findings) {
    CAPTURE(finding.what);
    CHECK((finding.verdict == Verdict::good || finding.verdict == Verdict::note ||
           !finding.todo.empty()));
    CHECK_FALSE(finding.todo.starts_with("nothing"));
  }
  CHECK(status_of(findings, daemon) == ExitStatus::kernel_cannot);
}

TEST_CASE("the verdict on what the kernel lacks depends on what is lost") {
  auto host = good_host();
  host.has_btf = false;
  CHECK(verdict_on(host, running()) == ExitStatus::kernel_cannot);
  host = good_host();
  host.sched_ext_state.reset();
  CHECK(verdict_on(host, running()) == ExitStatus::ok);
  host = good_host();
  host.has_pressure = false;
  CHECK(verdict_on(host, running()) == ExitStatus::ok);
  host = good_host();
  host.has_cgroup2 = false;
  CHECK(verdict_on(host, running()) == ExitStatus::ok);
}

TEST_CASE("each fact of a host has its line, with the verdict that it deserves") {
  for (const auto& one : kHostCases) {
    auto host = good_host();
    one.change(host);
    const auto line = found(diagnose(host, {}), one.what);
    CAPTURE(one.what, one.says, line.says);
    CHECK(line.verdict == one.verdict);
    CHECK(line.says.find(one.says) != std::string::npos);
  }
  for (const char* weaker : {"none", "integrity"}) {
    auto host = good_host();
    host.lockdown = weaker;
    CHECK(verdict_on(host, running()) == ExitStatus::ok);
  }
}

TEST_CASE("limits of this process matter only where it could start the daemon, with an effect") {
  const auto lines_of = [](const HostFacts& host, const DaemonFacts& daemon) {
    return std::ranges::count_if(diagnose(host, daemon), [](const Finding& finding) {
      const std::set<std::string> limits{"real time", "open files", "memory", "CPU limit"};
      return limits.contains(finding.what);
    });
  };
  auto host = good_host();
  CHECK(lines_of(host, {}) == 0);
  host.real_time_limit = 0;
  host.file_limit = 1024;
  host.memory_limit_bytes = 1;
  host.has_cpu_limit = true;
  CHECK(lines_of(host, {}) == 4);
  CHECK(lines_of(host, running()) == 0);
  host.capabilities = 1ull << 23;  // CAP_SYS_NICE
  CHECK(lines_of(host, {}) == 3);
  host.capabilities = 0;
  host.sched_ext_state.reset();  // no Enforced mode anyway
  CHECK(lines_of(host, {}) == 3);
}

TEST_CASE("what the daemon says of itself has its lines") {
  CHECK(found(diagnose(good_host(), running()), "capabilities").verdict == Verdict::good);
  const auto ejected =
      running({{"mode", "enforced"},
               {"scheduler", {{"attached", false}, {"last_exit", "runnable task stall"}}}});
  const auto line = found(diagnose(good_host(), ejected), "daemon");
  CHECK(line.verdict == Verdict::limited);
  CHECK(line.says.find("runnable task stall") != std::string::npos);
  CHECK(verdict_on(good_host(), ejected) == ExitStatus::degraded);
  CHECK(found(diagnose(good_host(), running({{"counters", {{"events_dropped", 3}}}})), "events")
            .says.find('3') != std::string::npos);
  DaemonFacts absent;
  absent.why_not = "cannot be reached at /run/x";
  CHECK(found(diagnose(good_host(), absent), "daemon").says == absent.why_not);
}

TEST_CASE("a kernel is judged by its version, unless a daemon runs on it") {
  const struct {
    const char* release;
    Verdict verdict;
    const char* says;
  } cases[]{{"6.11.10", Verdict::bad, "older than 6.12"},
            {"5.15.0", Verdict::bad, "older than 6.12"},
            {"6.12.95+deb13-amd64", Verdict::good, "BPF maps"},
            {"6.13.0", Verdict::good, "Linux 6.13.0"},
            {"10.0.1", Verdict::good, "Linux 10.0.1"}};
  for (const auto& one : cases) {
    CAPTURE(one.release);
    auto host = good_host();
    host.kernel_release = one.release;
    const auto line = found(diagnose(host, {}), "kernel");
    CHECK(line.verdict == one.verdict);
    CHECK(line.says.find(one.says) != std::string::npos);
    CHECK((line.says.find("BPF maps") != std::string::npos) ==
          (std::string(one.release).starts_with("6.12")));
    CHECK(found(diagnose(host, running()), "kernel").verdict == Verdict::good);
    CHECK(verdict_on(host, {}) ==
          (one.verdict == Verdict::bad ? ExitStatus::kernel_cannot : ExitStatus::not_running));
  }
}

TEST_CASE("another scheduler in the way is named, ours is not in the way") {
  auto host = good_host();
  host.sched_ext_state = "enabled";
  host.sched_ext_ops = "lavd";
  const auto other = found(diagnose(host, running()), "sched_ext");
  CHECK(other.verdict == Verdict::limited);
  CHECK(other.says.find("'lavd'") != std::string::npos);
  host.sched_ext_ops = "morpheus";
  CHECK(found(diagnose(host, running()), "sched_ext").verdict == Verdict::good);
}

TEST_CASE("versions that disagree are named, with the process") {
  CHECK(found(diagnose(good_host(), running({{"version", "9.9"}})), "versions").verdict ==
        Verdict::limited);
  auto daemon = running();
  daemon.clients = Json::array({{{"name", "app"}, {"pid", 5}, {"library", "0.0.9"}}});
  CHECK(found(diagnose(good_host(), daemon), "versions")
            .says.find("app (pid 5, libmorpheus 0.0.9)") != std::string::npos);
}

TEST_CASE("a host is read from its files") {
  char name[] = "/tmp/morpheus-host-XXXXXX";
  const std::string root = ::mkdtemp(name);
  const auto write = [&](const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root + path).parent_path());
    std::ofstream(root + path) << text;
  };
  fs::create_directories(root + "/proc");
  CHECK_FALSE(read_host_facts(root).has_btf);
  CHECK(read_host_facts(root).config.empty());
  const std::string config = "CONFIG_PSI=y\n# CONFIG_BPF_SYSCALL is not set\n",
                    release = read_host_facts(root).kernel_release;
  write("/boot/config-" + release, config);
  CHECK(read_host_facts(root).config_from == "/boot/config-" + release);
  const auto compressed = ::gzopen((root + "/proc/config.gz").c_str(), "wb");
  REQUIRE(::gzputs(compressed, config.c_str()) > 0);
  ::gzclose(compressed);
  write("/sys/kernel/btf/vmlinux", "x");
  write("/sys/kernel/sched_ext/state", "enabled\n");
  write("/sys/kernel/sched_ext/root/ops", "lavd\n");
  write("/sys/kernel/debug/sched/ext_server/cpu0/runtime", "50000000\n");
  write("/sys/devices/system/cpu/isolated", "2-3\n");
  write("/proc/pressure/cpu", "some avg10=0.00\n");
  write("/proc/self/mounts", "none /x cgroup rw 0 0\n");
  CHECK_FALSE(read_host_facts(root).has_cgroup2);
  CHECK(read_host_facts(root).hidepid.empty());
  CHECK_FALSE(read_host_facts(root).memory_limit_bytes);
  write("/proc/self/mounts",
        "proc /proc proc rw,nosuid,hidepid=invisible,gid=7 0 0\n"
        "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\nnone /x cgroup rw 0 0\n");
  write("/proc/self/cgroup", "1:name=systemd:/x\n0::/pods/one\n");
  write("/sys/fs/cgroup/pods/memory.max", "4096\n");
  write("/sys/fs/cgroup/pods/one/memory.max", "8192\n");
  write("/sys/fs/cgroup/pods/one/cpu.max", "max 100000\n");
  write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
  const auto host = read_host_facts(root);
  CHECK(host.config.at("CONFIG_PSI") == "y");
  CHECK_FALSE(host.config.contains("CONFIG_BPF_SYSCALL"));
  CHECK(host.config_from == "/proc/config.gz");
  CHECK(host.has_btf);
  CHECK(host.sched_ext_state == "enabled");
  CHECK(host.sched_ext_ops == "lavd");
  CHECK(host.ext_server_runtime_ns == 50'000'000u);
  CHECK(host.isolated_cpus == "2-3");
  CHECK(host.hidepid == "invisible");
  CHECK(host.memory_limit_bytes == 4096u);
  CHECK_FALSE(host.has_cpu_limit);
  write("/sys/fs/cgroup/pods/cpu.max", "50000 100000\n");
  CHECK(read_host_facts(root).has_cpu_limit);
  CHECK(host.has_pressure);
  CHECK(host.has_cgroup2);
  CHECK(host.has_cgroup1);
  CHECK(host.lockdown == "integrity");
  fs::remove_all(root);
}
