// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/diagnosis.hpp"

#include <fmt/core.h>
#include <linux/capability.h>

#include <algorithm>
#include <set>

#include "daemon/ctl/console/render.hpp"
#include "daemon/ctl/console/reply.hpp"
#include "proto/linux_version.hpp"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

namespace morpheus::ctl {
namespace {

using Findings = std::vector<Finding>;

bool has_capability(const HostFacts& host, int capability) {
  return (host.capabilities >> capability & 1u) != 0;
}

bool has_programs_loaded(const DaemonFacts& daemon) {
  return daemon.runs && text(daemon.status, "backend") == "bpf";
}

void check_kernel(Findings& out, const HostFacts& host, const DaemonFacts& daemon) {
  const auto kernel = LinuxVersion::of(host.kernel_release);
  const auto name = "Linux " + host.kernel_release;
  // a running daemon has its programs loaded, whatever the kernel is called
  if (kernel < kOldestLinux && !has_programs_loaded(daemon))
    out.push_back({"kernel", Verdict::bad,
                   name + " is older than " + kOldestLinux.text() +
                       ", the oldest on which the BPF programs load",
                   "boot Linux " + kOldestLinux.text() + " or later"});
  else if (kernel < kUserPointersSince)
    out.push_back({"kernel", Verdict::good,
                   name + "; workers' lines are in BPF maps (user pointers came with " +
                       kUserPointersSince.text() + ")",
                   ""});
  else
    out.push_back({"kernel", Verdict::good, name, ""});
}

void check_config(Findings& out, const HostFacts& host) {
  if (host.config.empty()) {
    out.push_back({"kernel config", Verdict::note,
                   "not found in /proc/config.gz or /boot; the other lines look at what the kernel "
                   "does",
                   ""});
    return;
  }
  std::string missing;
  for (const char* key :
       {"CONFIG_BPF_SYSCALL", "CONFIG_BPF_JIT", "CONFIG_BPF_EVENTS", "CONFIG_DEBUG_INFO_BTF",
        "CONFIG_SCHED_CLASS_EXT", "CONFIG_PSI", "CONFIG_CGROUPS"}) {
    const auto it = host.config.find(key);
    if (it == host.config.end() || it->second != "y")
      missing += (missing.empty() ? "" : ", ") + std::string(key);
  }
  if (missing.empty())
    out.push_back({"kernel config", Verdict::good,
                   "has everything that Morpheus uses (" + host.config_from + ")", ""});
  else
    out.push_back({"kernel config", Verdict::note,
                   "lacks " + missing + " (" + host.config_from + ")",
                   "see the lines below for what that means"});
}

void check_btf(Findings& out, const HostFacts& host) {
  if (host.has_btf)
    out.push_back({"BTF", Verdict::good, "/sys/kernel/btf/vmlinux", ""});
  else
    out.push_back({"BTF", Verdict::bad, "the kernel does not describe its types",
                   "boot a kernel with CONFIG_DEBUG_INFO_BTF=y"});
}

void check_sched_ext(Findings& out, const HostFacts& host) {
  if (!host.sched_ext_state) {
    out.push_back(
        {"sched_ext", Verdict::limited, "this kernel has none: no Enforced mode",
         "Observer mode works; for Enforced mode boot a kernel with CONFIG_SCHED_CLASS_EXT=y, such "
         "as Debian's own since " +
             kDebianSchedExtSince.text()});
    return;
  }
  const auto ops = host.sched_ext_ops.value_or("");
  if (*host.sched_ext_state == "disabled")
    out.push_back({"sched_ext", Verdict::good, "available, no scheduler loaded", ""});
  else if (ops.starts_with("morpheus"))
    out.push_back({"sched_ext", Verdict::good, "Morpheus' scheduler runs", ""});
  else
    out.push_back(
        {"sched_ext", Verdict::limited,
         "the scheduler '" + ops + "' is loaded (" + *host.sched_ext_state + "): no Enforced mode",
         "stop it (systemctl stop scx, or end its process); Observer mode works beside it"});
}

// kernel/sched/ext.c: "Not compatible with isolcpus= domain isolation"
void check_isolated_cpus(Findings& out, const HostFacts& host) {
  if (!host.sched_ext_state || host.isolated_cpus.empty()) return;
  out.push_back({"isolated CPUs", Verdict::limited,
                 "CPUs " + host.isolated_cpus +
                     " are isolated (isolcpus=), and the kernel attaches no sched_ext scheduler "
                     "then: no Enforced mode",
                 "boot without isolcpus="});
}

void check_ext_server(Findings& out, const HostFacts& host) {
  if (!host.sched_ext_state) return;
  if (!host.ext_server_runtime_ns) {
    out.push_back(
        {"ext_server", Verdict::note,
         "none visible: threads of the fair class can starve those of sched_ext",
         "this matters only where some threads stay in the fair class; Linux " +
             kExtServerSince.text() +
             " and later have one, which root sees in /sys/kernel/debug/sched/ext_server"});
    return;
  }
  const auto period = std::max<std::uint64_t>(1, host.ext_server_period_ns.value_or(1'000'000'000));
  const auto percent = *host.ext_server_runtime_ns * 100 / period;
  if (percent == 0)
    out.push_back({"ext_server", Verdict::note, "switched off",
                   "echo 50000000 > /sys/kernel/debug/sched/ext_server/cpuN/runtime gives 5 %"});
  else
    out.push_back({"ext_server", Verdict::good,
                   fmt::format("guarantees sched_ext threads {} % beside the fair class", percent),
                   ""});
}

void check_pressure(Findings& out, const HostFacts& host) {
  if (host.has_pressure)
    out.push_back({"PSI", Verdict::good, "/proc/pressure works", ""});
  else
    out.push_back({"PSI", Verdict::limited,
                   "off: all pressure reads as 0, and clients that lose the daemon do not become "
                   "defensive",
                   "boot with psi=1 (needs CONFIG_PSI=y)"});
}

void check_cgroups(Findings& out, const HostFacts& host) {
  if (host.has_cgroup2 && !host.has_cgroup1)
    out.push_back({"cgroups", Verdict::good, "version 2", ""});
  else if (host.has_cgroup2)
    out.push_back({"cgroups", Verdict::note, "versions 1 and 2 are mounted",
                   "controllers held by version 1 cannot be used; boot with "
                   "systemd.unified_cgroup_hierarchy=1"});
  else
    out.push_back({"cgroups", Verdict::limited, "version 2 is not mounted: no throttling",
                   "mount it: mount -t cgroup2 none /sys/fs/cgroup"});
}

void check_lockdown(Findings& out, const HostFacts& host) {
  if (host.lockdown == "confidentiality")
    out.push_back({"lockdown", Verdict::bad,
                   "confidentiality: BPF may not read the kernel's memory",
                   "boot with lockdown=integrity"});
}

// A running daemon has its capabilities. Otherwise look at those that a start from here would have.
void check_capabilities(Findings& out, const HostFacts& host, const DaemonFacts& daemon) {
  if (has_programs_loaded(daemon))
    out.push_back({"capabilities", Verdict::good, "the daemon has what it needs", ""});
  else if (has_capability(host, CAP_BPF) && has_capability(host, CAP_PERFMON))
    out.push_back({"capabilities", Verdict::good, "this process has CAP_BPF and CAP_PERFMON", ""});
  else
    out.push_back(
        {"capabilities", Verdict::note, "this process does not have both CAP_BPF and CAP_PERFMON",
         "start the daemon by its unit (systemctl start morpheusd) or as root; containers "
         "usually drop both"});
}

// A daemon that runs says so itself.
void check_real_time(Findings& out, const HostFacts& host, const DaemonFacts& daemon) {
  constexpr std::uint64_t kPriorityOfCanary = 90;
  if (daemon.runs || !host.sched_ext_state || host.real_time_limit >= kPriorityOfCanary ||
      has_capability(host, CAP_SYS_NICE))
    return;
  out.push_back({"real time", Verdict::note,
                 "this process may make no thread real-time, which Enforced mode needs for its "
                 "canary",
                 "start the daemon by its unit, which has LimitRTPRIO=99, or with CAP_SYS_NICE; a "
                 "container needs the capability SYS_NICE"});
}

void check_hidepid(Findings& out, const HostFacts& host) {
  if (host.hidepid.empty()) return;
  const std::string what = "/proc hides processes from other users (hidepid=" + host.hidepid + ")";
  const char* todo = "mount /proc with hidepid=off, or with gid= the group morpheus";
  if (LinuxVersion::of(host.kernel_release) < kPidfdInfoSince)
    out.push_back({"hidepid", Verdict::limited,
                   what + ": the daemon finds no threads but its own user's, unless it is root; " +
                       kPidfdInfoSince.text() + " and later need no /proc for that",
                   todo});
  else
    out.push_back({"hidepid", Verdict::note,
                   what + ": events and the log lack the names of processes", todo});
}

// What a daemon would get that is started like this process; a running one may have other limits.
void check_limits(Findings& out, const HostFacts& host, const DaemonFacts& daemon) {
  constexpr std::uint64_t kEnoughFiles = 8192, kEnoughBytes = std::uint64_t{256} << 20;
  if (daemon.runs) return;
  if (host.file_limit < kEnoughFiles)
    out.push_back({"open files", Verdict::note,
                   fmt::format("at most {}: the daemon needs one for each worker and up to five "
                               "for each client",
                               host.file_limit),
                   "raise it: LimitNOFILE=131072 in the unit, or ulimit -Hn"});
  if (host.memory_limit_bytes.value_or(kEnoughBytes) < kEnoughBytes)
    out.push_back({"memory", Verdict::note,
                   fmt::format("this control group may use {} MiB, and the memory of BPF counts",
                               *host.memory_limit_bytes >> 20),
                   fmt::format("allow {} MiB (memory.max; resources.limits.memory of a pod)",
                               kEnoughBytes >> 20)});
  if (host.has_cpu_limit)
    out.push_back({"CPU limit", Verdict::note,
                   "this control group's CPU time is bounded: the daemon could be late to look",
                   "give it no cpu.max (no resources.limits.cpu of a pod)"});
}

void check_slice_extension(Findings& out, const HostFacts& host) {
  if (host.slice_extension < 0)
    out.push_back({"rseq slices", Verdict::note,
                   "this kernel offers no slice extension, nor is it needed (Linux " +
                       kSliceExtensionSince.text() +
                       " and later have it with CONFIG_RSEQ_SLICE_EXTENSION)",
                   ""});
  else
    out.push_back({"rseq slices", Verdict::note, "threads may ask for a slice extension",
                   "note that an extension delays a kick by its length (5 us unless changed in "
                   "/sys/kernel/debug/rseq)"});
}

void check_daemon(Findings& out, const DaemonFacts& daemon) {
  if (!daemon.runs) {
    out.push_back({"daemon", Verdict::note, daemon.why_not,
                   "start it (systemctl start morpheusd) or name its --socket"});
    return;
  }
  const auto& status = daemon.status;
  if (is_degraded(status))
    out.push_back({"daemon", Verdict::limited,
                   "Enforced mode was chosen and is not in force: " + last_exit(status),
                   "morpheusctl mode enforced attaches it again; if it is ejected again, stay with "
                   "morpheusctl mode observer and report the reason"});
  else
    out.push_back(
        {"daemon", Verdict::good,
         fmt::format("runs in {} mode, backend {}", text(status, "mode"), text(status, "backend")),
         ""});
  if (const Json& scheduler = member(status, "scheduler");
      scheduler.contains("why_not") && text(status, "mode") == "observer")
    out.push_back({"enforced mode", Verdict::limited, text(scheduler, "why_not"),
                   "stay in Observer mode, or do what this line or the one of sched_ext says"});
  if (const auto dropped = number(member(status, "counters"), "events_dropped"); dropped > 0)
    out.push_back({"events", Verdict::note,
                   fmt::format("{} were dropped since the daemon started", dropped),
                   "the counters are still right; stop any idle morpheusctl events or trace"});
}

void check_versions(Findings& out, const DaemonFacts& daemon) {
  if (!daemon.runs) return;
  const auto version = text(daemon.status, "version");
  if (version != MORPHEUS_PROJECT_VERSION)
    out.push_back({"versions", Verdict::limited,
                   "morpheusctl is " MORPHEUS_PROJECT_VERSION ", morpheusd is " + version,
                   "install both from one build, then systemctl restart morpheusd"});
  std::set<std::string> others;
  for (const auto& client : daemon.clients)
    if (const auto library = text(client, "library"); library != "-" && library != version)
      others.insert(fmt::format("{} (pid {}, libmorpheus {})", text(client, "name"),
                                number(client, "pid"), library));
  for (const auto& other : others)
    out.push_back({"versions", Verdict::note,
                   fmt::format("{} differs from morpheusd {}", other, version),
                   "it works; restart the process with the installed library when you can"});
  if (others.empty() && version == MORPHEUS_PROJECT_VERSION)
    out.push_back({"versions", Verdict::good, "daemon, tool and libraries are all " + version, ""});
}

}  // namespace

std::vector<Finding> diagnose(const HostFacts& host, const DaemonFacts& daemon) {
  Findings out;
  check_kernel(out, host, daemon);
  check_config(out, host);
  check_btf(out, host);
  check_sched_ext(out, host);
  check_isolated_cpus(out, host);
  check_ext_server(out, host);
  check_pressure(out, host);
  check_cgroups(out, host);
  check_lockdown(out, host);
  check_hidepid(out, host);
  check_capabilities(out, host, daemon);
  check_real_time(out, host, daemon);
  check_limits(out, host, daemon);
  check_slice_extension(out, host);
  check_daemon(out, daemon);
  check_versions(out, daemon);
  return out;
}

ExitStatus status_of(const std::vector<Finding>& findings, const DaemonFacts& daemon) {
  const auto any = [&](Verdict verdict) {
    return std::ranges::any_of(findings, [&](const Finding& f) { return f.verdict == verdict; });
  };
  if (any(Verdict::bad)) return ExitStatus::kernel_cannot;
  if (!daemon.runs) return ExitStatus::not_running;
  return is_degraded(daemon.status) ? ExitStatus::degraded : ExitStatus::ok;
}

}  // namespace morpheus::ctl
