// SPDX-License-Identifier: GPL-2.0-only
#include "subject.hpp"

#include <cstdlib>
#include <ctime>
#include <thread>

namespace bench {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void report_idle(const Run& run) {
  const std::chrono::duration<double> rest(0.5 * run.work), watched(run.work);
  std::this_thread::sleep_for(rest);
  const double before = cpu_seconds();
  std::this_thread::sleep_for(watched);
  report("cpu", (cpu_seconds() - before) * 1e6 / run.work);
}

int play(int argc, char** argv, std::span<const Measure> measures) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s MEASURE VARIANT [WORK]\n", argv[0]);
    return 64;
  }
  for (const Measure& measure : measures) {
    if (measure.name != argv[1]) continue;
    measure.play({.variant = argv[2], .work = argc > 3 ? std::atof(argv[3]) : 1.0});
    return 0;
  }
  std::fprintf(stderr, "%s: no measure %s\n", argv[0], argv[1]);
  return 64;
}

}  // namespace bench
