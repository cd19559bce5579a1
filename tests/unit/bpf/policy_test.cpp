// SPDX-License-Identifier: GPL-2.0-only
// The decisions, natively: the very file that the BPF programs are compiled from.
#include "bpf/policy.bpf.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>

namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kNow = 1'000'000 * kMs;
constexpr morpheus_tunables kTunables{5 * kMs, 10 * kMs, 100 * kMs, 1 * kMs, 0};

/// A RUNNING worker that got its CPU `ran` ago and has no open hint.
morpheus_worker running(std::uint64_t ran) {
  morpheus_worker w{};
  w.state = MORPHEUS_WORKER_RUNNING;
  w.seq = w.ended_seq = 7;
  w.run_start_ns = w.slice_start_ns = kNow - ran;
  return w;
}

/// The same with a hint that was given `age` ago.
morpheus_worker hinted(std::uint64_t ran, std::uint64_t age) {
  auto w = running(ran);
  w.seq = w.timed_seq = 8;
  w.hinted_at_ns = kNow - age;
  return w;
}

constexpr policy_claims kConsent{
    .critical = 0, .escapable = 1, .policy = MORPHEUS_POLICY_THREAD_KICK, .last_ack_seq = 7};

}  // namespace

TEST_CASE("policy: the lifecycle allows exactly the documented transitions") {
  const std::set<std::pair<unsigned, unsigned>> allowed = {
      {MORPHEUS_WORKER_INIT, MORPHEUS_WORKER_REGISTERED},
      {MORPHEUS_WORKER_REGISTERED, MORPHEUS_WORKER_RUNNING},
      {MORPHEUS_WORKER_RUNNING, MORPHEUS_WORKER_QUIESCING},
      {MORPHEUS_WORKER_QUIESCING, MORPHEUS_WORKER_RUNNING},
      {MORPHEUS_WORKER_QUIESCING, MORPHEUS_WORKER_DEAD}};
  for (unsigned from = 0; from < 8; ++from)
    for (unsigned to = 0; to < 8; ++to)
      CHECK((morpheus_transition_allowed(from, to) != 0) == allowed.contains({from, to}));
}

TEST_CASE("policy: nobody waits, nobody is asked") {
  const auto ran = GENERATE(0 * kMs, 4 * kMs, 5 * kMs, 10'000 * kMs);
  const auto w = running(ran);
  CHECK(policy_hint(&w, &kTunables, kNow, 0, false) == MORPHEUS_HINT_NONE);
}

TEST_CASE("policy: a waiter asks at once, or after the minimum run") {
  const auto w = running(2 * kMs);
  CHECK(policy_hint(&w, &kTunables, kNow, 1, false) == MORPHEUS_HINT_PRESSURE);
  auto patient = kTunables;
  patient.min_run_ns = 2 * kMs + 1;
  CHECK(policy_hint(&w, &patient, kNow, 1, false) == MORPHEUS_HINT_NONE);
  patient.min_run_ns = 2 * kMs;
  CHECK(policy_hint(&w, &patient, kNow, 1, false) == MORPHEUS_HINT_PRESSURE);
}

TEST_CASE("policy: contention asks a lead before the slice ends") {
  auto w = running(4 * kMs - 1);
  CHECK(policy_hint(&w, &kTunables, kNow, 0, true) == MORPHEUS_HINT_NONE);
  w = running(4 * kMs);
  CHECK(policy_hint(&w, &kTunables, kNow, 0, true) == MORPHEUS_HINT_BUDGET);
}

TEST_CASE("policy: only a RUNNING worker on a CPU without an open hint is asked") {
  auto w = running(20 * kMs);
  for (unsigned state = 0; state < 8; ++state) {
    w.state = state;
    CHECK((policy_hint(&w, &kTunables, kNow, 3, true) != MORPHEUS_HINT_NONE) ==
          (state == MORPHEUS_WORKER_RUNNING));
  }
  w = hinted(20 * kMs, 1 * kMs);
  CHECK(policy_hint(&w, &kTunables, kNow, 3, true) == MORPHEUS_HINT_NONE);
  w = running(20 * kMs);
  w.run_start_ns = 0;
  CHECK(policy_hint(&w, &kTunables, kNow, 3, true) == MORPHEUS_HINT_NONE);
}

TEST_CASE("policy: only the exact sequence acknowledges, whatever a client claims") {
  const auto w = hinted(6 * kMs, 1 * kMs);
  CHECK(policy_acknowledged(&w, 8));
  for (const std::uint64_t lie : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{9},
                                  std::numeric_limits<std::uint64_t>::max()})
    CHECK_FALSE(policy_acknowledged(&w, lie));
  const auto closed = running(6 * kMs);
  CHECK_FALSE(policy_acknowledged(&closed, closed.seq));
}

TEST_CASE("policy: a claimed time cannot make a latency longer or shorter than possible") {
  const auto w = hinted(6 * kMs, 3 * kMs);
  CHECK(policy_ack_latency(&w, kNow - 1 * kMs, kNow) == 2 * kMs);
  CHECK(policy_ack_latency(&w, 0, kNow) == 3 * kMs);
  CHECK(policy_ack_latency(&w, kNow + 5 * kMs, kNow) == 3 * kMs);
}

TEST_CASE("policy: a hint is late from its deadline on") {
  auto w = hinted(20 * kMs, 10 * kMs - 1);
  CHECK_FALSE(policy_hint_late(&w, &kTunables, kNow));
  w = hinted(20 * kMs, 10 * kMs);
  CHECK(policy_hint_late(&w, &kTunables, kNow));
  w.timed_seq = w.seq - 1;  // another CPU is just giving it
  CHECK_FALSE(policy_hint_late(&w, &kTunables, kNow));
  w.timed_seq = w.seq;
  w.ended_seq = w.seq;
  CHECK_FALSE(policy_hint_late(&w, &kTunables, kNow));
}

TEST_CASE("policy: the last call goes to whom escalation is next, once, a lead before the deadline") {
  const auto called = [](morpheus_worker w, policy_claims c, unsigned mode = MORPHEUS_ENFORCED) {
    return policy_last_call(mode, &w, &c, &kTunables, kNow);
  };
  CHECK(called(hinted(20 * kMs, 9 * kMs), kConsent));
  CHECK_FALSE(called(hinted(20 * kMs, 9 * kMs - 1), kConsent));
  CHECK_FALSE(called(hinted(20 * kMs, 9 * kMs), kConsent, MORPHEUS_OBSERVER_ONLY));
  auto w = hinted(20 * kMs, 9 * kMs);
  w.called_seq = w.seq;
  CHECK_FALSE(called(w, kConsent));
  w = hinted(20 * kMs, 9 * kMs);
  w.ended_seq = w.seq;
  CHECK_FALSE(called(w, kConsent));
  auto claims = kConsent;
  claims.escapable = 0;
  CHECK_FALSE(called(hinted(20 * kMs, 9 * kMs), claims));
  claims = kConsent;
  claims.policy = GENERATE(0u + MORPHEUS_POLICY_NONE, 0u + MORPHEUS_POLICY_COUNT);
  CHECK_FALSE(called(hinted(20 * kMs, 9 * kMs), claims));
  claims = kConsent;
  claims.last_ack_seq = 8;
  CHECK_FALSE(called(hinted(20 * kMs, 9 * kMs), claims));
}

TEST_CASE("policy: of two workers the lower priority is asked, then the one with the older slice") {
  auto a = running(1 * kMs), b = running(3 * kMs);
  a.priority = b.priority = 500;
  CHECK(policy_asked_before(&b, &a));
  CHECK_FALSE(policy_asked_before(&a, &b));
  a.priority = 499;
  CHECK(policy_asked_before(&a, &b));
  CHECK_FALSE(policy_asked_before(&b, &a));
}

TEST_CASE("policy: queues are balanced until the longer one is no longer so") {
  CHECK_FALSE(policy_imbalanced(0, 0));
  CHECK_FALSE(policy_imbalanced(2, 0));
  CHECK(policy_imbalanced(3, 0));
  // moving a thread from a longer queue to a shorter one never turns the two around
  for (unsigned there = 0; there < 40; ++there)
    for (unsigned here = 0; here < 40; ++here)
      if (policy_imbalanced(there, here)) CHECK_FALSE(policy_imbalanced(here + 1, there - 1));
}

TEST_CASE("policy: balance is asked of a worker whose slice is nearly over") {
  auto w = running(4 * kMs);
  CHECK(policy_hint_imbalance(&w, &kTunables, kNow));
  w = running(4 * kMs - 1);
  CHECK_FALSE(policy_hint_imbalance(&w, &kTunables, kNow));
  w = hinted(4 * kMs, 1 * kMs);
  CHECK_FALSE(policy_hint_imbalance(&w, &kTunables, kNow));
}

TEST_CASE("policy: a priority can only lower a weight, and a group scales it") {
  CHECK(policy_worker_weight(100, 1000) == 100);
  CHECK(policy_worker_weight(100, 500) == 100);
  CHECK(policy_worker_weight(100, 250) == 50);
  CHECK(policy_worker_weight(100, 0) == 10);
  CHECK(policy_worker_weight(3, 0) == 1);
  CHECK(policy_group_weight(100, 400) == 400);
  CHECK(policy_group_weight(100, 100) == 100);
  CHECK(policy_group_weight(3, 1) == 1);
  CHECK(policy_group_weight(0xffffffff, 10'000) == POLICY_MOST_WEIGHT);
}

TEST_CASE("policy: who is owed most stays, but no longer than for the hold cap") {
  const auto cap = kTunables.hold_cap_ns;
  CHECK(policy_stays(99, 100, 100, cap - 1, false, &kTunables));
  CHECK_FALSE(policy_stays(100, 100, 100, 0, false, &kTunables));
  CHECK_FALSE(policy_stays(99, 100, 100, cap, false, &kTunables));
  CHECK_FALSE(policy_stays(99, 100 - POLICY_AHEAD, 100, 0, false, &kTunables));
  CHECK(policy_stays(~0ull, 1, 100, 0, false, &kTunables));
}

TEST_CASE("policy: a yield is worth a slice of the thread's own") {
  const auto slice = kTunables.slice_ns;
  CHECK_FALSE(policy_stays(kNow, kNow + slice, 100, 0, true, &kTunables));
  CHECK(policy_stays(kNow, kNow + slice + 1, 100, 0, true, &kTunables));
  CHECK(policy_stays(kNow, kNow + slice, 200, 0, true, &kTunables));
  CHECK_FALSE(policy_stays(kNow, kNow + slice, 50, 0, true, &kTunables));
}

TEST_CASE("policy: a slice that ended leaves room to stay, a CPU that was taken does not") {
  for (const std::uint32_t verdict : {POLICY_SLICE_KEEP, POLICY_SLICE_RENEW, POLICY_SLICE_DEFER})
    CHECK(policy_goes_on(verdict));
  for (const std::uint32_t verdict : {POLICY_SLICE_END, POLICY_SLICE_OVERRUN, POLICY_SLICE_TAKEN})
    CHECK_FALSE(policy_goes_on(verdict));
  CHECK(policy_may_stay(POLICY_SLICE_END));
  CHECK_FALSE(policy_may_stay(POLICY_SLICE_OVERRUN));
  CHECK_FALSE(policy_may_stay(POLICY_SLICE_TAKEN));
}

TEST_CASE("policy: escalation needs every one of its conditions") {
  const auto w = hinted(16 * kMs, 11 * kMs);
  REQUIRE(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &kConsent, &kTunables, kNow) ==
          MORPHEUS_BLOCK_NONE);

  CHECK(policy_escalation_gate(MORPHEUS_OBSERVER_ONLY, &w, &kConsent, &kTunables, kNow) ==
        MORPHEUS_BLOCK_MODE);
  for (unsigned state = 0; state < 8; ++state) {
    if (state == MORPHEUS_WORKER_RUNNING) continue;
    auto other = w;
    other.state = state;
    CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &other, &kConsent, &kTunables, kNow) ==
          MORPHEUS_BLOCK_STATE);
  }
  auto claims = kConsent;
  claims.policy = MORPHEUS_POLICY_NONE;
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &claims, &kTunables, kNow) ==
        MORPHEUS_BLOCK_POLICY);
  claims.policy = 99;
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &claims, &kTunables, kNow) ==
        MORPHEUS_BLOCK_POLICY);
  claims = kConsent;
  claims.escapable = GENERATE(0u, 2u, 0xffffffffu);
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &claims, &kTunables, kNow) ==
        MORPHEUS_BLOCK_NOT_ESCAPABLE);
  claims = kConsent;
  claims.critical = GENERATE(1u, 2u, 0xffffffffu);
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &claims, &kTunables, kNow) ==
        MORPHEUS_BLOCK_CRITICAL);
  claims = kConsent;
  claims.last_ack_seq = 8;
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &w, &claims, &kTunables, kNow) ==
        MORPHEUS_BLOCK_ACKNOWLEDGED);
  const auto fresh_run = hinted(15 * kMs, 11 * kMs);
  CHECK(policy_escalation_gate(MORPHEUS_ENFORCED, &fresh_run, &kConsent, &kTunables, kNow) ==
        MORPHEUS_BLOCK_EARLY);
}

TEST_CASE("policy: a slice without a rival is renewed, with one it ends") {
  const auto w = running(6 * kMs);
  CHECK(policy_slice(&w, &kConsent, &kTunables, kNow, false) == POLICY_SLICE_RENEW);
  CHECK(policy_slice(&w, &kConsent, &kTunables, kNow, true) == POLICY_SLICE_END);
  const auto young = running(5 * kMs - 1);
  CHECK(policy_slice(&young, &kConsent, &kTunables, kNow, true) == POLICY_SLICE_KEEP);
}

TEST_CASE("policy: the end of a slice waits for critical sections and fresh hints, up to the cap") {
  auto critical = kConsent;
  critical.critical = 1;
  auto w = running(99 * kMs);
  CHECK(policy_slice(&w, &critical, &kTunables, kNow, true) == POLICY_SLICE_DEFER);
  w = running(100 * kMs);
  CHECK(policy_slice(&w, &critical, &kTunables, kNow, true) == POLICY_SLICE_OVERRUN);

  w = hinted(12 * kMs, 9 * kMs);
  CHECK(policy_slice(&w, &kConsent, &kTunables, kNow, true) == POLICY_SLICE_DEFER);
  w = hinted(12 * kMs, 10 * kMs);
  CHECK(policy_slice(&w, &kConsent, &kTunables, kNow, true) == POLICY_SLICE_END);
  auto answered = kConsent;
  answered.last_ack_seq = 8;
  w = hinted(12 * kMs, 1 * kMs);
  CHECK(policy_slice(&w, &answered, &kTunables, kNow, true) == POLICY_SLICE_END);
}

TEST_CASE("policy: the next look is never sooner than the floor nor later than a decision") {
  constexpr std::uint64_t kFloor = kMs / 10;
  auto w = running(1 * kMs);
  CHECK(policy_next_look(&w, &kTunables, false, kNow, kFloor) == 3 * kMs);
  w = running(50 * kMs);
  CHECK(policy_next_look(&w, &kTunables, false, kNow, kFloor) == kFloor);
  CHECK(policy_next_look(&w, &kTunables, true, kNow, kFloor) == 4 * kMs);  // nobody waited: no hurry
  w = hinted(6 * kMs, 4 * kMs);
  CHECK(policy_next_look(&w, &kTunables, false, kNow, kFloor) == 5 * kMs);  // the last call
  w = hinted(12 * kMs, 9 * kMs);
  CHECK(policy_next_look(&w, &kTunables, false, kNow, kFloor) == 1 * kMs);
  w.lost_seq = w.seq;
  CHECK(policy_next_look(&w, &kTunables, true, kNow, kFloor) == 4 * kMs);
  auto patient = kTunables;
  patient.min_run_ns = 3 * kMs;
  w = running(1 * kMs);
  CHECK(policy_next_look(&w, &patient, false, kNow, kFloor) == 2 * kMs);
  patient.hint_lead_ns = 1000 * kMs;  // longer than the slice
  w = running(4 * kMs);
  CHECK(policy_next_look(&w, &patient, false, kNow, kFloor) == kFloor);
}

TEST_CASE("policy: virtual time is shared by weight and survives its wrap") {
  CHECK(policy_vtime_delta(5 * kMs, 100) == 5 * kMs);
  CHECK(policy_vtime_delta(5 * kMs, 200) == 5 * kMs / 2);
  CHECK(policy_vtime_delta(5 * kMs, 0) == 500 * kMs);
  constexpr auto kEnd = std::numeric_limits<std::uint64_t>::max();
  CHECK(policy_vtime_before(kEnd - 5, 5));
  CHECK_FALSE(policy_vtime_before(5, kEnd - 5));
  CHECK(policy_vtime_clamp(0, kNow, 1, &kTunables) == kNow - 5 * kMs);
  CHECK(policy_vtime_clamp(kNow + 3, kNow, 1, &kTunables) == kNow + 3);
  CHECK(policy_vtime_clamp(kNow + 500 * kMs, kNow, 1, &kTunables) == kNow + 500 * kMs);
  CHECK(policy_vtime_clamp(kNow + 90'000 * kMs, kNow, 1, &kTunables) == kNow + 128 * 5 * kMs);
}

TEST_CASE("policy: nobody waits for many rounds longer than three seconds, however light") {
  constexpr auto kLightest = kNow + 500 * kMs;  // after a slice
  CHECK(policy_is_far_ahead(kLightest, kNow, &kTunables));
  CHECK_FALSE(policy_is_far_ahead(kNow + 10 * kMs, kNow, &kTunables));
  for (const unsigned round : {1U, 5U}) CHECK(policy_vtime_clamp(kLightest, kNow, round, &kTunables) == kLightest);
  for (const unsigned round : {7U, 30U, 200U})
    CHECK((policy_vtime_clamp(kLightest, kNow, round, &kTunables) - kNow) * round <= 3000 * kMs);
  // where one round takes longer the lightest waits for two
  CHECK(policy_vtime_clamp(kLightest, kNow, 5000, &kTunables) == kNow + 10 * kMs);
}

TEST_CASE("policy: a place ahead comes before every virtual time and hides none") {
  constexpr auto kEnd = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t clock : {kNow, std::uint64_t{0}, kEnd - 3}) {
    const auto oldest = policy_vtime_clamp(clock - 9000 * kMs, clock, 1, &kTunables);
    const auto newest = policy_vtime_clamp(clock + 9000 * kMs, clock, 1, &kTunables);
    CHECK(policy_vtime_before(newest - POLICY_AHEAD, oldest));
    for (const std::uint64_t vtime : {std::uint64_t{oldest}, clock, std::uint64_t{newest}}) {
      CHECK(policy_vtime_of(vtime, clock) == vtime);
      CHECK(policy_vtime_of(vtime - POLICY_AHEAD, clock) == vtime);
    }
  }
}

TEST_CASE("policy: half of a CPU at most goes to threads ahead of their virtual time") {
  std::uint64_t until = 0, now = kNow, ahead = 0;
  // Somebody is always about to go ahead, for 2 ms at a time; who may not lets others run for 1 ms.
  while (now < kNow + 10'000 * kMs) {
    if (policy_may_go_ahead(until, now, &kTunables)) {
      now += 2 * kMs;
      ahead += 2 * kMs;
      until = policy_charge_ahead(until, now, 2 * kMs, 100, &kTunables);
    } else {
      now += kMs;
    }
  }
  CHECK(ahead > 4'900 * kMs);
  CHECK(ahead < 5'000 * kMs + kTunables.hold_cap_ns);
  // Light threads pay more, and a pause of the machine below is not held against anybody.
  CHECK(policy_charge_ahead(0, kNow, kMs, 50, &kTunables) == kNow + 4 * kMs);
  CHECK(policy_charge_ahead(0, kNow, 900 * kMs, 100, &kTunables) == kNow + 2 * kTunables.slice_ns);
}

TEST_CASE("policy: who slept owes one slice of its own at most") {
  CHECK(policy_vtime_woken(kNow + 3 * kMs, kNow, 100, &kTunables) == kNow + 3 * kMs);
  CHECK(policy_vtime_woken(kNow + 80 * kMs, kNow, 100, &kTunables) == kNow + 5 * kMs);
  CHECK(policy_vtime_woken(kNow + 80 * kMs, kNow, 10, &kTunables) == kNow + 50 * kMs);
}

TEST_CASE("policy: of a CPU's two queues none is passed over for longer than a round of the other") {
  const std::uint64_t slice = kTunables.slice_ns;
  CHECK(policy_round(0, 1) == 1);
  CHECK(policy_round(4, 2) == 3);
  CHECK(policy_round(4, 0) == 5);
  CHECK_FALSE(policy_passed_over_long(1000, 1000 + slice - 1, 1, &kTunables));
  CHECK(policy_passed_over_long(1000, 1000 + slice, 1, &kTunables));
  CHECK_FALSE(policy_passed_over_long(1000, 1000 + 3 * slice - 1, 3, &kTunables));
  CHECK(policy_passed_over_long(1000, 1000 + 3 * slice, 3, &kTunables));
}

TEST_CASE("policy: a queue's turn lasts until a slice was used, and no claim is left from longer ones") {
  const std::uint64_t slice = kTunables.slice_ns, since = kNow - 3 * slice;
  CHECK(policy_passed_over_since(since, kNow, slice / 10, 3) == since + 4 * slice / 10);
  CHECK(policy_passed_over_since(since, kNow, slice, 3) == kNow);
  CHECK(policy_passed_over_since(since, kNow, 10 * slice, 3) == kNow);
}

TEST_CASE("policy: an ordinary thread is preempted by one that lags more than the lead") {
  const auto in = [](std::uint64_t waker, std::uint64_t ran, std::uint32_t weight = POLICY_WEIGHT_UNIT) {
    return policy_wakeup_preempts_in(waker, kNow, ran, weight, &kTunables);
  };
  CHECK(in(kNow - 2 * kMs, kMs) == 0);
  CHECK(in(kNow - 1 * kMs, kMs) == POLICY_NEVER);
  CHECK(in(kNow + 1 * kMs, kMs) == POLICY_NEVER);
  SECTION("but not before that one has run for a while") {
    CHECK(in(kNow - 2 * kMs, POLICY_WAKEUP_GRANULARITY_NS) == 0);
    CHECK(in(kNow - 2 * kMs, POLICY_WAKEUP_GRANULARITY_NS - 1) == 1);
    CHECK(in(kNow - 2 * kMs, 0) == POLICY_WAKEUP_GRANULARITY_NS);
  }
  SECTION("what that one will owe by then counts") {
    const std::uint64_t nearly = kNow - kTunables.hint_lead_ns + POLICY_WAKEUP_GRANULARITY_NS / 2;
    CHECK(in(nearly, 0) == POLICY_WAKEUP_GRANULARITY_NS);
    CHECK(in(nearly, 0, 10 * POLICY_WEIGHT_UNIT) == POLICY_NEVER);
    CHECK(in(nearly, POLICY_WAKEUP_GRANULARITY_NS) == POLICY_NEVER);
  }
}

TEST_CASE("policy: pressure stays in its range") {
  CHECK(policy_pressure(0) == 0);
  CHECK(policy_pressure(1) == 0);
  CHECK(policy_pressure(2) == 50);
  CHECK(policy_pressure(4) == 75);
  CHECK(policy_pressure(0xffffffffu) == 100);
}

TEST_CASE("policy: each policy does what its name says, unknown ones nothing") {
  for (const unsigned policy : {0u, 1u, 2u, 3u, 4u, 99u}) {
    CHECK(policy_kicks(policy) ==
          (policy == MORPHEUS_POLICY_THREAD_KICK || policy == MORPHEUS_POLICY_HYBRID));
    CHECK(policy_throttles(policy) ==
          (policy == MORPHEUS_POLICY_CGROUP_THROTTLE || policy == MORPHEUS_POLICY_HYBRID));
  }
}

TEST_CASE("policy: a bound is refilled by whole periods, keeps little, and remembers debt") {
  policy_bandwidth b{.quota_ns = 20 * kMs, .period_ns = 100 * kMs, .refilled_ns = kNow, .left_ns = 0};
  CHECK(policy_next_refill(&b, kNow, kNow + 99 * kMs) == kNow);
  CHECK(policy_next_refill(&b, kNow, kNow + 350 * kMs) == kNow + 300 * kMs);
  CHECK(policy_refill(&b, 100 * kMs) == 20 * kMs);
  CHECK(policy_refill(&b, 1'000'000 * kMs) == 25 * kMs);  // a quota and what is kept
  b.left_ns = 24 * kMs;
  CHECK(policy_refill(&b, 100 * kMs) == 1 * kMs);
  b.left_ns = 30 * kMs;
  CHECK(policy_refill(&b, 100 * kMs) == 0);
  b.left_ns = -70 * kMs;
  CHECK(policy_refill(&b, 100 * kMs) == 20 * kMs);
  CHECK(policy_refill(&b, 1'000'000 * kMs) == 95 * kMs);
  b.period_ns = 0;
  CHECK(policy_next_refill(&b, kNow, kNow + kMs) == kNow);
  CHECK(policy_refill(&b, kMs) == 0);
}

TEST_CASE("policy: a critical section outlasts its group's time, up to the cap") {
  const auto inside = policy_claims{.critical = 1, .escapable = 1, .policy = 2, .last_ack_seq = 7};
  auto w = running(99 * kMs);
  CHECK_FALSE(policy_stops_now(&w, &inside, &kTunables, kNow));
  CHECK(policy_stops_now(&w, &kConsent, &kTunables, kNow));
  w = running(100 * kMs);
  CHECK(policy_stops_now(&w, &inside, &kTunables, kNow));
}
