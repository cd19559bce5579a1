// SPDX-License-Identifier: GPL-2.0-only
// Threads bound to the CPUs that the driver lets the program have.
#pragma once

#include <sched.h>

#include <thread>
#include <vector>

#include "subject.hpp"

namespace bench {

/// The index-th of the program's CPUs, counted from 0 and round.
inline int cpu_at(std::size_t index) {
  static const std::vector<int> cpus = [] {
    cpu_set_t set;
    std::vector<int> found;
    sched_getaffinity(0, sizeof set, &set);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) found.push_back(cpu);
    }
    return found;
  }();
  return cpus[index % cpus.size()];
}

/// Binds the calling thread to that CPU.
inline void pin(std::size_t index) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu_at(index), &one);
  sched_setaffinity(0, sizeof one, &one);
}

}  // namespace bench
