// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/shared/cpu_share.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

namespace morpheus::sdk {
namespace {

/// Grows the set until the kernel's fits into it.
std::size_t usable_cpus() {
  for (int cpus = CPU_SETSIZE; cpus <= 64 * CPU_SETSIZE; cpus *= 2) {
    cpu_set_t* const mine = CPU_ALLOC(cpus);
    if (mine == nullptr) break;
    const std::size_t size = CPU_ALLOC_SIZE(cpus);
    const bool is_known = ::sched_getaffinity(0, size, mine) == 0;
    const int count = is_known ? CPU_COUNT_S(size, mine) : 0;
    CPU_FREE(mine);
    if (is_known) return static_cast<std::size_t>(std::max(1, count));
  }
  return 1;
}

/// "QUOTA PERIOD", both in microseconds, or "max PERIOD".
double quota_in(const std::string& file) {
  std::ifstream in(file);
  double quota = 0;
  double period = 0;
  if (!(in >> quota >> period) || quota <= 0 || period <= 0) return CpuShare::kNoQuota;
  return quota / period;
}

}  // namespace

std::size_t CpuShare::count() const {
  if (!has_quota()) return usable;
  return static_cast<std::size_t>(std::max(1.0, std::ceil(quota)));
}

double cpu_quota(const std::string& root, const std::string& path) {
  double least = quota_in(root + "/cpu.max");
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    least = std::min(least, quota_in(root + path.substr(0, end) + "/cpu.max"));
  }
  return least;
}

std::string group_path(const std::string& proc_cgroup) {
  std::size_t at = 0;
  while (at < proc_cgroup.size()) {
    const std::size_t end = std::min(proc_cgroup.find('\n', at), proc_cgroup.size());
    const std::string line = proc_cgroup.substr(at, end - at);
    if (line.starts_with("0::")) return line.substr(3);
    at = end + 1;
  }
  return {};
}

CpuShare CpuShare::of_this_process() {
  std::ifstream in("/proc/self/cgroup");
  const std::string groups{std::istreambuf_iterator<char>(in), {}};
  return {.usable = usable_cpus(), .quota = cpu_quota("/sys/fs/cgroup", group_path(groups))};
}

}  // namespace morpheus::sdk
