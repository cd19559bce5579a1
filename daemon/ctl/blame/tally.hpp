// SPDX-License-Identifier: GPL-2.0-only
// Adds up what io.morpheus.Control.Blame replies: for each worker that kept threads waiting, which
// threads, how long, and where it was in its code. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/ctl/blame/place.hpp"
#include "proto/json.hpp"

namespace morpheus::ctl {

/// How often threads waited, and how long in all and at worst.
struct Waits {
  std::uint64_t count = 0, total_ns = 0, longest_ns = 0;
  void add(std::uint64_t waited_ns);
};

/// A thread that was kept waiting. Several that one may not see are one without a name.
struct Victim {
  std::uint64_t pid = 0, tid = 0, cgroup_id = 0;
  std::string process, thread;
  Waits waits;
};

/// How often a worker was seen with a stack, and for how long a thread had waited then.
struct Seen {
  std::uint64_t count = 0, age_ns = 0;
};

struct Culprit {
  std::uint64_t worker_id = 0, pid = 0, tid = 0, uid = 0;
  std::string process, thread;
  std::uint64_t samples = 0, skipped = 0, critical = 0;
  Waits waits;
  std::map<std::string, std::uint64_t> causes;
  std::map<std::uint64_t, Victim> victims;  ///< by tid
  std::map<Stack, Seen> stacks;
};

/// Only these processes and workers; empty: all.
struct BlameFilter {
  std::vector<std::uint64_t> pids, workers;
};

class Tally {
 public:
  explicit Tally(BlameFilter filter = {}) : filter_(std::move(filter)) {}

  /// One reply.
  void add(const Json& reply);
  /// The most guilty first: by how long threads waited, then by how often it was seen.
  [[nodiscard]] std::vector<const Culprit*> by_guilt() const;
  [[nodiscard]] std::uint64_t samples() const { return samples_; }
  /// Records that the daemon or the kernel had no room for.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  void add_sample(const Json& sample);
  void add_wait(const Json& wait);

  BlameFilter filter_;
  std::map<std::uint64_t, Culprit> culprits_;  // by worker
  std::uint64_t samples_ = 0, dropped_ = 0;
};

/// The thread that a culprit kept waiting the longest; null if none is known.
[[nodiscard]] const Victim* worst_victim(const Culprit& culprit);

}  // namespace morpheus::ctl
