// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/commands/host_facts.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

namespace morpheus::ctl {
namespace {

// include/uapi/linux/prctl.h, Linux 7.0 and later
constexpr int kPrRseqSliceExtension = 79;
constexpr unsigned long kPrRseqSliceExtensionGet = 1;

std::optional<std::string> first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<std::uint64_t> first_number(const std::string& path) {
  const auto line = first_line(path);
  std::uint64_t value = 0;
  if (!line || std::from_chars(line->data(), line->data() + line->size(), value).ec != std::errc{})
    return std::nullopt;
  return value;
}

// zlib reads plain text and gzip.
std::string read_maybe_compressed(const std::string& path) {
  std::string text;
  gzFile file = ::gzopen(path.c_str(), "rb");
  if (file == nullptr) return text;
  std::array<char, 16384> buffer;
  constexpr std::size_t kMost = std::size_t{8} << 20;
  for (int got = 0;
       text.size() < kMost && (got = ::gzread(file, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  ::gzclose(file);
  return text;
}

std::map<std::string, std::string> parse_config(const std::string& text) {
  std::map<std::string, std::string> config;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find('=');
    if (line.starts_with("CONFIG_") && equals != std::string::npos)
      config[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return config;
}

void find_config(HostFacts& facts, const std::string& root) {
  const std::string release = facts.kernel_release;
  for (const std::string& path :
       {std::string("/proc/config.gz"), "/boot/config-" + release,
        "/usr/lib/modules/" + release + "/config", "/lib/modules/" + release + "/config"}) {
    facts.config = parse_config(read_maybe_compressed(root + path));
    if (facts.config.empty()) continue;
    facts.config_from = path;
    return;
  }
}

// "none [integrity] confidentiality": the one in brackets is in force.
std::optional<std::string> lockdown_of(const std::optional<std::string>& line) {
  if (!line) return std::nullopt;
  const auto open = line->find('['), close = line->find(']');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  return line->substr(open + 1, close - open - 1);
}

std::uint64_t effective_capabilities(const std::string& root) {
  std::ifstream file(root + "/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("CapEff:"))
      return std::strtoull(line.c_str() + sizeof("CapEff:") - 1, nullptr, 16);
  return 0;
}

// "rw,nosuid,hidepid=invisible": what is hidden, empty if nothing is.
std::string hidepid_of(const std::string& options) {
  constexpr std::string_view kKey = "hidepid=";
  const auto at = options.find(kKey);
  if (at == std::string::npos) return {};
  const auto value = options.substr(at, options.find_first_of(", ", at) - at).substr(kKey.size());
  return value == "0" || value == "off" ? "" : value;
}

void find_mounts(HostFacts& facts, const std::string& root) {
  std::ifstream mounts(root + "/proc/self/mounts");
  for (std::string device, where, type, rest; mounts >> device >> where >> type;) {
    std::getline(mounts, rest);
    if (where == "/proc" && type == "proc") facts.hidepid = hidepid_of(rest);
    facts.has_cgroup2 = facts.has_cgroup2 || type == "cgroup2";
    facts.has_cgroup1 = facts.has_cgroup1 || type == "cgroup";
  }
}

std::uint64_t limit_of(__rlimit_resource resource, rlim_t rlimit::* which) {
  rlimit limit{};
  return ::getrlimit(resource, &limit) == 0 ? limit.*which : 0;
}

// The tightest bound of the control group and those above it, as far as this process sees them.
void find_group_limits(HostFacts& facts, const std::string& root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line) && !line.starts_with("0::")) {
  }
  if (!line.starts_with("0::/")) return;
  const std::string top = root + "/sys/fs/cgroup";
  for (std::filesystem::path group = top + line.substr(3); group.string().size() >= top.size();
       group = group.parent_path()) {
    if (const auto bytes = first_number(group / "memory.max"))  // or "max"
      facts.memory_limit_bytes = std::min(*bytes, facts.memory_limit_bytes.value_or(*bytes));
    facts.has_cpu_limit = facts.has_cpu_limit || first_number(group / "cpu.max").has_value();
  }
}

}  // namespace

HostFacts read_host_facts(const std::string& root) {
  HostFacts facts;
  utsname system{};
  ::uname(&system);
  facts.kernel_release = system.release;
  find_config(facts, root);
  facts.has_btf = ::access((root + "/sys/kernel/btf/vmlinux").c_str(), R_OK) == 0;
  facts.sched_ext_state = first_line(root + "/sys/kernel/sched_ext/state");
  facts.sched_ext_ops = first_line(root + "/sys/kernel/sched_ext/root/ops");
  const std::string server = root + "/sys/kernel/debug/sched/ext_server/cpu0/";
  facts.ext_server_runtime_ns = first_number(server + "runtime");
  facts.ext_server_period_ns = first_number(server + "period");
  facts.isolated_cpus = first_line(root + "/sys/devices/system/cpu/isolated").value_or("");
  facts.has_pressure = first_line(root + "/proc/pressure/cpu").has_value();
  find_mounts(facts, root);
  find_group_limits(facts, root);
  facts.lockdown = lockdown_of(first_line(root + "/sys/kernel/security/lockdown"));
  facts.real_time_limit = limit_of(RLIMIT_RTPRIO, &rlimit::rlim_cur);
  facts.file_limit = limit_of(RLIMIT_NOFILE, &rlimit::rlim_max);
  facts.capabilities = effective_capabilities(root);
  facts.slice_extension = ::prctl(kPrRseqSliceExtension, kPrRseqSliceExtensionGet, 0, 0, 0);
  return facts;
}

}  // namespace morpheus::ctl
