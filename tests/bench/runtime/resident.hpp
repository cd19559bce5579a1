// SPDX-License-Identifier: GPL-2.0-only
// How much memory the process really has: its pages and the tables that map them.
#pragma once

#include <fstream>
#include <string>

#include "subject.hpp"

namespace bench {

inline double resident_bytes() {
  std::ifstream status("/proc/self/status");
  double kib = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:") || line.starts_with("VmPTE:")) kib += std::stod(line.substr(6));
  }
  return kib * 1024;
}

}  // namespace bench
