// SPDX-License-Identifier: GPL-2.0-only
// A subject written in C++: a program called as PROGRAM MEASURE VARIANT [WORK], which plays one
// measure once and prints lines "QUANTITY VALUE". WORK (default 1) scales how much it does; smaller
// is shorter and less exact.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

namespace bench {

struct Run {
  std::string_view variant;
  double work = 1;

  [[nodiscard]] std::size_t scaled(double full) const {
    return std::max<std::size_t>(1, static_cast<std::size_t>(full * work));
  }
};

struct Measure {
  std::string_view name;
  void (*play)(const Run&);
};

/// Plays the measure that the command line asks for; returns the exit status (64: no such measure).
int play(int argc, char** argv, std::span<const Measure> measures);

inline void report(const char* quantity, double value) {
  std::printf("%s %.6g\n", quantity, value);
}

/// Ends the program at once: for a runtime whose tasks wait for ever.
[[noreturn]] inline void leave() {
  std::fflush(stdout);
  std::_Exit(0);
}

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// CPU time of the whole process.
double cpu_seconds();

/// Reports what CPU time the process uses in a second in which it has nothing to do, once it has
/// come to rest.
void report_idle(const Run& run);

/// Nanoseconds for one of the operations that `run(n)` does in the seconds it returns. n is a
/// multiple of granule, grown until a run fills its time: the earlier, shorter ones warm the caches
/// and the allocators up.
template <class F>
double nanoseconds_each(const Run& run, std::size_t granule, F&& operations) {
  const double enough = 0.25 * run.work;
  for (std::size_t n = granule;;) {
    const double seconds = operations(n);
    if (seconds >= enough) return seconds / static_cast<double>(n) * 1e9;
    const double factor = seconds > 0 ? std::min(10.0, 1.3 * enough / seconds) : 10.0;
    n = granule * std::max(n / granule + 1,
                           static_cast<std::size_t>(static_cast<double>(n / granule) * factor));
  }
}

}  // namespace bench
