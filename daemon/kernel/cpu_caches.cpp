// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/cpu_caches.hpp"

#include <algorithm>
#include <fstream>

#include "proto/events.h"

namespace morpheus::daemon {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The CPUs that share this CPU's cache of the highest level, as the kernel writes them.
std::string sharers(const std::string& cpu) {
  std::string found, highest;
  for (unsigned index = 0;; ++index) {
    const auto cache = cpu + "/cache/index" + std::to_string(index);
    const auto level = first_line(cache + "/level");  // one digit
    if (level.empty()) return found;
    if (level < highest) continue;
    highest = level;
    found = first_line(cache + "/shared_cpu_list");
  }
}

}  // namespace

std::vector<std::uint8_t> read_llcs(const std::string& directory, unsigned cpus) {
  std::vector<std::uint8_t> numbers(cpus);
  std::vector<std::string> seen;
  for (unsigned cpu = 0; cpu < cpus; ++cpu) {
    const auto list = sharers(directory + "/cpu" + std::to_string(cpu));
    if (list.empty()) continue;
    const auto at = std::ranges::find(seen, list) - seen.begin();
    if (at == std::ssize(seen)) seen.push_back(list);
    numbers[cpu] = static_cast<std::uint8_t>(std::min<std::ptrdiff_t>(at, MORPHEUS_MAX_LLCS - 1));
  }
  return numbers;
}

}  // namespace morpheus::daemon
