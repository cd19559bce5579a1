// SPDX-License-Identifier: GPL-2.0-only
// Whether a bound on the CPU time of a control group holds: the operator's cpu.max, and the penalty
// of a group whose worker consented to throttling and ignored a hint.
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/bench/scheduler/parts.hpp"
#include "tests/programs/control_group.hpp"

namespace morpheus::bench {
namespace {

using test::ControlGroup;
using test::Load;
using test::Manner;
using test::ThreadSpec;

constexpr double kOffPoints = 2;
constexpr unsigned kQuotaPercent = 35;
constexpr ThreadSpec kRival{.manner = Manner::rival};
// Where the kernel does not report a new bound to its scheduler, the daemon looks once a second.
constexpr auto kSettle = std::chrono::milliseconds(1500);

void add(const Bench& bench, Subject subject, const std::string& what, double used,
         double allowed_percent) {
  const bool is_judged = subject == Subject::enforced;
  bench.figures.add(what + ": used", "% of a CPU", subject, 100 * used);
  bench.figures.add(what + ": off by", "points", subject, std::abs(100 * used - allowed_percent),
                    is_judged ? std::optional(at_most(kOffPoints)) : std::nullopt);
}

void operators_bound(const Bench& bench, Subject subject, unsigned percent) {
  const ControlGroup group("morpheus-bench-bound");
  group.write("cpu.max", std::to_string(percent * 1000) + " 100000");
  const Load load(bench.host.socket(), Host::crowded_cpu(), {kRival, kRival}, nullptr);
  group.take(load.pid());
  std::this_thread::sleep_for(kSettle);
  add(bench, subject, "cpu.max of " + std::to_string(percent) + " %",
      load.used(2, bench.options.seconds), percent);
}

std::uint64_t throttles(const Bench& bench, const Load& load) {
  const auto reply = bench.host.daemon().call("ListWorkers");
  for (const auto& worker : reply.at("workers"))
    if (worker.at("tid") == load.tid(0)) return worker.at("throttles").get<std::uint64_t>();
  throw std::runtime_error("throttle: the daemon does not know the worker");
}

void penalty(const Bench& bench, int policy, const std::string& name) {
  const ControlGroup group(kThrottledGroup);
  const Load load(bench.host.socket(), Host::crowded_cpu(),
                  {{.manner = Manner::deaf, .escapable = true, .policy = policy}, kRival}, nullptr);
  const Load neighbour(bench.host.socket(), Host::crowded_cpu(), {kRival}, nullptr);
  group.take(load.pid());
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (throttles(bench, load) == 0) {
    if (std::chrono::steady_clock::now() > limit)
      throw std::runtime_error("throttle: a deaf worker's group is not throttled");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::this_thread::sleep_for(kSettle);
  add(bench, Subject::enforced, name + " penalty of " + std::to_string(kPenaltyPercent) + " %",
      load.used(2, bench.options.seconds), kPenaltyPercent);
}

}  // namespace

void measure_throttle(const Bench& bench) {
  if (!ControlGroup::can_be_made()) return bench.figures.skip("there is no cgroup v2 here");
  bench.each_round(bench.possible({Subject::kernel, Subject::fifo, Subject::enforced}),
                   [&](Subject subject) {
                     operators_bound(bench, subject, kQuotaPercent);
                     if (subject != Subject::enforced) return;
                     penalty(bench, MORPHEUS_POLICY_CGROUP_THROTTLE, "CGROUP_THROTTLE");
                     penalty(bench, MORPHEUS_POLICY_HYBRID, "HYBRID");
                   });
}

}  // namespace morpheus::bench
