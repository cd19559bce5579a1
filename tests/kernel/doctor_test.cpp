// SPDX-License-Identifier: GPL-2.0-only
// morpheusctl doctor on a real kernel, whichever it is: each line is compared with what the kernel
// itself shows, and the kernel's features with the names in its type information (BTF), which
// doctor does not read.
#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <iterator>

#include "tests/kernel/machine.hpp"

using namespace morpheus::test;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Whether the kernel has a type, function or enumerator of this name.
bool kernel_has(const std::string& name) {
  static const auto types = read_file("/sys/kernel/btf/vmlinux");
  return types.find('\0' + name + '\0') != std::string::npos;
}

struct Examination {
  explicit Examination(const DaemonProcess& daemon) {
    const auto ended = daemon.ctl({"doctor", "--json"});
    status = ended.status;
    findings = parse_json(ended.out)["findings"];
  }
  [[nodiscard]] Json line(const std::string& what) const {
    for (const auto& finding : findings)
      if (finding["what"] == what) return finding;
    FAIL("doctor says nothing about " << what);
    return {};
  }
  [[nodiscard]] bool says(const std::string& what, const std::string& text) const {
    return line(what)["says"].get<std::string>().find(text) != std::string::npos;
  }
  [[nodiscard]] bool is(const std::string& what, const char* verdict) const {
    return line(what)["verdict"] == verdict;
  }
  [[nodiscard]] bool any(const char* verdict) const {
    return std::ranges::any_of(findings,
                               [&](const Json& finding) { return finding["verdict"] == verdict; });
  }

  int status = -1;
  Json findings;
};

/// Looks where systemd mounts it, alone or beside version 1.
bool has_cgroup2() {
  return std::ranges::any_of(
      std::array{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}, [](const char* path) {
        struct statfs found{};
        return ::statfs(path, &found) == 0 && found.f_type == CGROUP2_SUPER_MAGIC;
      });
}

void check_ext_server(const Examination& doctor) {
  const std::string server = "/sys/kernel/debug/sched/ext_server/cpu0/";
  const auto runtime = read_file(server + "runtime"), period = read_file(server + "period");
  if (runtime.empty()) {
    CHECK(doctor.is("ext_server", "note"));
    return;
  }
  const auto percent = std::stoull(runtime) * 100 / std::stoull(period);
  CHECK(doctor.says("ext_server",
                    percent == 0 ? "switched off" : " " + std::to_string(percent) + " %"));
}

}  // namespace

TEST_CASE("observer: doctor's lines agree with what the kernel has", "[observer]") {
  const auto& daemon = observing_daemon();
  const Examination doctor(daemon);
  CAPTURE(doctor.findings.dump(1));

  utsname system{};
  ::uname(&system);
  CHECK(doctor.is("kernel", "ok"));
  CHECK(doctor.says("kernel", system.release));
  CHECK(doctor.says("kernel", "lines are in BPF maps") == !kernel_has("BPF_UPTR"));
  CHECK(doctor.is("BTF", "ok"));
  const bool has_sched_ext = kernel_has("sched_ext_ops");
  CHECK(doctor.is("sched_ext", has_sched_ext ? "ok" : "limited"));
  CHECK(doctor.says("sched_ext", has_sched_ext ? "no scheduler loaded" : "has none"));
  if (has_sched_ext) check_ext_server(doctor);
  CHECK(doctor.is("PSI", read_file("/proc/pressure/cpu").empty() ? "limited" : "ok"));
  CHECK(doctor.says("cgroups", has_cgroup2() ? "version" : "not mounted"));
  CHECK(doctor.says("rseq slices", "may ask") == kernel_has("rseq_slice_extension_prctl"));
  CHECK(doctor.is("capabilities", "ok"));
  CHECK(doctor.says("daemon", "observer mode, backend bpf"));
  CHECK(doctor.status == (doctor.any("BAD") ? 77 : 0));
}

TEST_CASE("enforced: doctor sees whose scheduler runs, and that it is in another daemon's way") {
  const auto& ours = enforcing_daemon();
  const DaemonProcess other(Backend::bpf);
  const Examination doctor(ours);
  CHECK(doctor.says("sched_ext", "Morpheus' scheduler runs"));
  CHECK(doctor.says("daemon", "enforced mode"));
  // the second daemon of a host cannot have it
  const Examination second(other);
  CHECK(second.is("enforced mode", "limited"));
  CHECK(second.says("enforced mode", "'morpheus' is loaded"));
  CHECK(second.status == 0);
}
