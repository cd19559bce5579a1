// SPDX-License-Identifier: GPL-2.0-only
// The jobs of a runtime that no thread has yet, by the number of their lane.
#pragma once

#include <morpheus/detail/job.hpp>
#include <morpheus/detail/spin_lock.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace morpheus::sdk {

/// How many of the jobs that wait are meant.
enum class Part : std::uint8_t { half, all };

/// Any thread.
class SharedJobs {
 public:
  static constexpr unsigned kMostLanes = 16;  ///< numbered from 0
  static constexpr std::size_t kMost = 64;    ///< jobs in half of a long queue

  void put(unsigned lane, const detail::job_list& jobs) {
    const std::scoped_lock lock(lock_);
    jobs_[lane].append(jobs);
    lanes_.fetch_or(std::uint32_t{1} << lane, std::memory_order_seq_cst);
  }
  [[nodiscard]] bool empty() const { return lanes_.load(std::memory_order_seq_cst) == 0; }
  /// Calls `take(lane, jobs)` for the jobs of each lane, or the first half of them.
  template <class F>
  void take(Part part, F take) {
    const std::scoped_lock lock(lock_);
    for (std::uint32_t left = lanes_.load(std::memory_order_relaxed); left != 0; left &= left - 1) {
      const auto lane = static_cast<unsigned>(std::countr_zero(left));
      detail::job_list& jobs = jobs_[lane];
      take(lane, part == Part::all ? jobs.take() : jobs.take_half(kMost));
      if (jobs.empty()) lanes_.fetch_and(~(std::uint32_t{1} << lane), std::memory_order_relaxed);
    }
  }

 private:
  detail::spin_lock lock_;
  std::array<detail::job_list, kMostLanes> jobs_{};
  std::atomic<std::uint32_t> lanes_{0};  // those with jobs, one bit each
};

}  // namespace morpheus::sdk
