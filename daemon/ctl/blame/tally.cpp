// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/blame/tally.hpp"

#include <algorithm>

#include "daemon/ctl/console/reply.hpp"

namespace morpheus::ctl {
namespace {

// Of one worker: what is more of them than a person reads would only fill the memory.
constexpr std::size_t kMostVictims = 1000;
constexpr std::size_t kMostStacks = 5000;
constexpr std::size_t kMostFrames = 256;

bool is_wanted(const std::vector<std::uint64_t>& wanted, std::uint64_t value) {
  return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
}

std::string name_in(const Json& object, const char* key) {
  return printable(text(object, key), 64);
}

Stack stack_of(const Json& sample) {
  Stack stack;
  for (const auto& frame : sample.value("frames", Json::array())) {
    if (stack.size() == kMostFrames) break;
    const bool in_file = frame.contains("build_id");
    stack.push_back({in_file ? text(frame, "build_id", "") : "",
                     number(frame, in_file ? "offset" : "address"), !stack.empty()});
  }
  return stack;
}

}  // namespace

void Waits::add(std::uint64_t waited_ns) {
  ++count;
  total_ns += waited_ns;
  longest_ns = std::max(longest_ns, waited_ns);
}

void Tally::add(const Json& reply) {
  for (const auto& sample : reply.value("samples", Json::array())) add_sample(sample);
  for (const auto& wait : reply.value("waits", Json::array())) add_wait(wait);
  dropped_ += number(reply, "dropped");
}

void Tally::add_sample(const Json& sample) {
  const auto worker = number(sample, "worker_id"), pid = number(sample, "pid");
  if (!is_wanted(filter_.workers, worker) || !is_wanted(filter_.pids, pid)) return;
  Culprit& culprit = culprits_[worker];
  culprit.worker_id = worker;
  culprit.pid = pid;
  culprit.tid = number(sample, "tid");
  culprit.uid = number(sample, "uid");
  culprit.process = name_in(sample, "process");
  culprit.thread = name_in(sample, "thread");
  culprit.skipped += number(sample, "skipped");
  culprit.critical += flag(sample, "critical") ? 1 : 0;
  ++culprit.causes[name_in(sample, "cause")];
  ++culprit.samples;
  ++samples_;
  auto stack = stack_of(sample);
  if (culprit.stacks.size() >= kMostStacks && !culprit.stacks.contains(stack)) return;
  Seen& seen = culprit.stacks[std::move(stack)];
  ++seen.count;
  seen.age_ns += number(sample, "age_ns");
}

void Tally::add_wait(const Json& wait) {
  const auto found = culprits_.find(number(wait, "worker_id"));
  if (found == culprits_.end()) return;  // of a worker that is not wanted
  Culprit& culprit = found->second;
  const auto waited = number(wait, "waited_ns");
  const Json& who = member(wait, "waiter");
  auto tid = number(who, "tid");
  if (culprit.victims.size() >= kMostVictims && !culprit.victims.contains(tid)) tid = 0;
  Victim& victim = culprit.victims[tid];
  if (tid != 0)
    victim = {number(who, "pid"),       tid,
              number(who, "cgroup_id"), name_in(who, "process"),
              name_in(who, "thread"),   victim.waits};
  victim.waits.add(waited);
  culprit.waits.add(waited);
}

std::vector<const Culprit*> Tally::by_guilt() const {
  std::vector<const Culprit*> sorted;
  sorted.reserve(culprits_.size());
  for (const auto& [id, culprit] : culprits_) sorted.push_back(&culprit);
  std::ranges::sort(sorted, std::ranges::greater(), [](const Culprit* culprit) {
    return std::pair(culprit->waits.total_ns, culprit->samples);
  });
  return sorted;
}

const Victim* worst_victim(const Culprit& culprit) {
  const auto worst = std::ranges::max_element(
      culprit.victims, {}, [](const auto& victim) { return victim.second.waits.total_ns; });
  return worst == culprit.victims.end() ? nullptr : &worst->second;
}

}  // namespace morpheus::ctl
