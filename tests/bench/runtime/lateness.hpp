// SPDX-License-Identifier: GPL-2.0-only
// How late something happened, in microseconds, and the deadlines that it is held to.
#pragma once

#include <vector>

#include "subject.hpp"

namespace bench {

class Lateness {
 public:
  void add(Clock::time_point due, Clock::time_point done) {
    late_.push_back(std::chrono::duration<double, std::micro>(done - due).count());
  }
  void append(const Lateness& other) {
    late_.insert(late_.end(), other.late_.begin(), other.late_.end());
  }
  [[nodiscard]] double percentile(double p) {
    if (late_.empty()) return 0;
    const auto at = static_cast<std::size_t>(p * static_cast<double>(late_.size() - 1));
    std::nth_element(late_.begin(), late_.begin() + static_cast<std::ptrdiff_t>(at), late_.end());
    return late_[at];
  }

 private:
  std::vector<double> late_;
};

/// The deadlines of a task that is due every millisecond. A late tick does not move the next ones:
/// those that were missed meanwhile count as well, each by how late it is. Those of the first tenth
/// of a second do not count: threads are still starting.
class Ticks {
 public:
  explicit Ticks(const Run& run) : counted_(run.scaled(2000)) {}

  [[nodiscard]] Clock::time_point due() const { return due_; }
  /// Notes all ticks that are due by now; false after the last one.
  [[nodiscard]] bool done() {
    for (const auto now = Clock::now(); due_ <= now && left_ > 0; --left_) {
      if (left_ <= counted_) lateness_.add(due_, now);
      due_ += std::chrono::milliseconds(1);
    }
    return left_ > 0;
  }
  void report_all() {
    report("p50", lateness_.percentile(0.5));
    report("p99", lateness_.percentile(0.99));
  }

 private:
  std::size_t counted_, left_ = counted_ + 100;
  Clock::time_point due_ = Clock::now() + std::chrono::milliseconds(1);
  Lateness lateness_;
};

/// How long each of the tasks of measure timers sleeps, and how often: about 200,000 sleeps begin
/// in a second whatever the number of tasks is.
struct Sleeps {
  std::size_t tasks, each;
  std::chrono::microseconds longest;

  explicit Sleeps(const Run& run)
      : tasks(run.scaled(run.variant == "100000" ? 100'000 : 10'000)),
        each(run.variant == "100000" ? 2 : 10),
        longest(run.variant == "100000" ? 1'000'000 : 100'000) {}

  /// The k-th sleep of a task: evenly spread from 1 % of the longest to the longest, the same in
  /// every run.
  [[nodiscard]] std::chrono::microseconds length(std::size_t task, std::size_t k) const {
    std::uint64_t x = (task * each + k + 1) * 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
    return longest / 100 * (1 + static_cast<int>((x >> 40) % 100));
  }

  void report_all(Lateness& lateness, double cpu) const {
    report("p50", lateness.percentile(0.5));
    report("p99", lateness.percentile(0.99));
    report("cpu", cpu * 1e6 / static_cast<double>(tasks * each));
  }
};

}  // namespace bench
