// SPDX-License-Identifier: GPL-2.0-only
// The workers, claims and tunables that the tests of every chapter start from.
#pragma once

#include "bpf/policy.bpf.h"

#include <cstdint>

namespace morpheus::policy_test {

inline constexpr std::uint64_t kMs = 1'000'000;
inline constexpr std::uint64_t kNow = 1'000'000 * kMs;
inline constexpr morpheus_tunables kTunables{5 * kMs, 10 * kMs, 100 * kMs, 1 * kMs, 0};

/// A RUNNING worker that got its CPU `ran` ago and has no open hint.
inline morpheus_worker_record running(std::uint64_t ran) {
  morpheus_worker_record w{};
  w.state = MORPHEUS_WORKER_RUNNING;
  w.seq = w.ended_seq = 7;
  w.run_start_ns = w.slice_start_ns = kNow - ran;
  return w;
}

/// The same with a hint that was given `age` ago.
inline morpheus_worker_record hinted(std::uint64_t ran, std::uint64_t age) {
  auto w = running(ran);
  w.seq = w.timed_seq = 8;
  w.hinted_at_ns = kNow - age;
  return w;
}

inline constexpr policy_claims kConsent{
    .critical = 0, .escapable = 1, .policy = MORPHEUS_POLICY_THREAD_KICK, .last_ack_seq = 7};

}  // namespace morpheus::policy_test
