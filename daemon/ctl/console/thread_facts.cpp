// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/console/thread_facts.hpp"

#include <fmt/core.h>

#include <fstream>

namespace morpheus::ctl {

ThreadFacts facts_of_thread(std::uint64_t pid, std::uint64_t tid) {
  ThreadFacts facts;
  const auto process = fmt::format("/proc/{}", pid);
  const auto place = tid == 0 ? process : fmt::format("{}/task/{}", process, tid);
  if (tid != 0) {
    std::ifstream name(place + "/comm");
    std::getline(name, facts.thread);
  }
  std::ifstream groups(place + "/cgroup");
  for (std::string line; std::getline(groups, line);)
    if (line.starts_with("0::")) facts.control_group = line.substr(3);  // the only one of version 2
  return facts;
}

}  // namespace morpheus::ctl
