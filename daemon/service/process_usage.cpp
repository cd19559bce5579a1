// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/service/process_usage.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace morpheus::daemon {
namespace {

constexpr double kMicrosecond = 1e-6;

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * kMicrosecond;
}

double now(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// proc_pid_stat(5): the name in brackets may hold blanks; after it come fields 3 (state) and on.
void read_stat(ProcessUsage& usage) {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::string word;
  for (int field = 3; fields >> word && field <= 24; ++field) {
    if (field == 20) usage.threads = std::stoull(word);
    if (field == 22)
      usage.started_at = now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME) +
                         std::stod(word) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    if (field == 23) usage.virtual_bytes = std::stoull(word);
    if (field == 24) usage.resident_bytes = std::stoull(word) * page;
  }
}

}  // namespace

ProcessUsage read_process_usage() {
  ProcessUsage usage;
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0)
    usage.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.most_fds = limit.rlim_cur;
  // its size is their number since Linux 6.2; counting the entries would take long
  struct stat fds{};
  if (::stat("/proc/self/fd", &fds) == 0) usage.open_fds = static_cast<std::uint64_t>(fds.st_size);
  read_stat(usage);
  return usage;
}

}  // namespace morpheus::daemon
