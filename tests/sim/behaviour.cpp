// SPDX-License-Identifier: GPL-2.0-only
// What threads do with a CPU: they keep the protocol as the SDK does, or break it in every way.
#include "tests/sim/machine.hpp"

namespace morpheus::sim {
namespace {

/// The SDK's safe point. True: a thread waits, and this one should yield.
bool acknowledge(Thread& t, std::uint64_t now) {
  if (t.truth.slot == 0 || t.kernel.preempt_seq == t.seen_seq) return false;
  t.seen_seq = t.kernel.preempt_seq;
  const bool stands = t.kernel.withdrawn_seq < t.seen_seq;
  t.runtime.last_yield_reason = stands ? MORPHEUS_YIELD_HINT : MORPHEUS_YIELD_NONE;
  t.runtime.last_ack_ns = now;
  t.runtime.last_ack_seq = t.seen_seq;
  return stands;
}

/// Ends the present critical section, or begins one now and then.
bool leaves_or_enters_critical(Thread& t) {
  if (t.runtime.is_in_critical_section != 0) {
    t.runtime.is_in_critical_section = 0;
    return true;
  }
  if (!t.rng.one_in(3)) return false;
  t.runtime.is_in_critical_section = static_cast<__u32>(t.rng.between(1, 3));
  return true;
}

Next cooperative(Thread& t, std::uint64_t now, std::uint64_t sleeps_one_in) {
  if (leaves_or_enters_critical(t)) return {Next::go_on, t.rng.between(5 * kUs, 150 * kUs)};
  const auto run = t.rng.between(10 * kUs, 400 * kUs);
  if (acknowledge(t, now)) return {Next::yield, run};
  if (t.rng.one_in(sleeps_one_in)) return {Next::sleep, run, t.rng.between(50 * kUs, 8 * kMs)};
  return {Next::go_on, run};
}

Next deaf(Thread& t) {
  if (leaves_or_enters_critical(t)) return {Next::go_on, t.rng.between(10 * kUs, 2 * kMs)};
  const auto run = t.rng.between(200 * kUs, 8 * kMs);
  if (t.rng.one_in(200)) return {Next::sleep, run, t.rng.between(1 * kMs, 20 * kMs)};
  return {Next::go_on, run};
}

Next ack_liar(Thread& t, std::uint64_t now) {
  const auto run = t.rng.between(20 * kUs, 2 * kMs);
  switch (t.rng.next() % 4) {
    case 0:
      t.runtime.last_ack_seq = t.kernel.preempt_seq + t.rng.next() % 3;
      break;
    case 1:
      t.runtime.last_ack_seq = t.rng.next();
      break;
    default:
      (void)acknowledge(t, now);
  }
  t.runtime.last_ack_ns = t.rng.one_in(2) ? t.rng.next() : now;
  if (t.rng.one_in(300)) return {Next::sleep, run, t.rng.between(1 * kMs, 5 * kMs)};
  return {Next::go_on, run};
}

Next chaos(Thread& t, std::uint64_t now) {
  auto& line = t.runtime;
  const auto any = [&t](std::uint64_t sane) {
    return t.rng.one_in(2) ? t.rng.next() % sane : t.rng.next();
  };
  switch (t.rng.next() % 9) {
    case 0:
      line.is_in_critical_section = static_cast<__u32>(any(2));
      break;
    case 1:
      line.escapable = static_cast<__u32>(any(3));
      break;
    case 2:
      line.last_ack_seq = t.kernel.preempt_seq - 1 + any(3);
      break;
    case 3:
      line.last_ack_ns = any(now);
      break;
    case 4:
      line.runtime_priority = static_cast<__u32>(any(1001));
      break;
    case 5:
      line.last_yield_reason = static_cast<__u32>(any(6));
      break;
    case 6:
      line.escalation_policy = static_cast<__u32>(any(5));
      break;
    case 7:
      line.runtime_mode = static_cast<__u32>(any(4));
      break;
    default:
      line.reserved[t.rng.next() % 3] = t.rng.next();
  }
  const auto run = t.rng.between(5 * kUs, 3 * kMs);
  if (t.rng.one_in(40)) return {Next::yield, run};
  if (t.rng.one_in(100)) return {Next::sleep, run, t.rng.between(10 * kUs, 10 * kMs)};
  return {Next::go_on, run};
}

Next critical_hog(Thread& t, std::uint64_t now) {
  if (t.runtime.is_in_critical_section == 0 && t.rng.one_in(4)) {
    t.runtime.is_in_critical_section = 1;
    return {Next::go_on, t.rng.between(1 * kMs, 400 * kMs)};
  }
  t.runtime.is_in_critical_section = 0;
  return {acknowledge(t, now) ? Next::yield : Next::go_on, t.rng.between(20 * kUs, 2 * kMs)};
}

Next dying(Thread& t) {
  if (t.rng.one_in(3)) return {Next::exit, 0};
  const auto run = t.rng.between(5 * kUs, 200 * kUs);
  if (t.rng.one_in(3)) return {Next::sleep, run, t.rng.between(10 * kUs, 2 * kMs)};
  return {Next::go_on, run};
}

}  // namespace

Next behave(Thread& t, std::uint64_t now) {
  if (t.exiting) return dying(t);
  if (t.mortal && t.rng.one_in(4000)) return {Next::exit, t.rng.between(5 * kUs, 200 * kUs)};
  auto& rng = t.rng;
  switch (t.kind) {
    case Kind::cooperative:
      return cooperative(t, now, 60);
    case Kind::spinner:
      return cooperative(t, now, ~0ull);
    case Kind::sleepy:
      return cooperative(t, now, 3);
    case Kind::deaf:
      return deaf(t);
    case Kind::ack_liar:
      return ack_liar(t, now);
    case Kind::chaos:
      return chaos(t, now);
    case Kind::critical_hog:
      return critical_hog(t, now);
    case Kind::hog:
      if (rng.one_in(500)) return {Next::sleep, 5 * kMs, rng.between(1 * kMs, 30 * kMs)};
      return {Next::go_on, rng.between(1 * kMs, 20 * kMs)};
    case Kind::probe:
      return {Next::sleep, rng.between(5 * kUs, 80 * kUs), rng.between(500 * kUs, 1500 * kUs)};
    case Kind::higher:
      return {Next::sleep, rng.between(5 * kUs, 300 * kUs), rng.between(500 * kUs, 4 * kMs)};
  }
  return {};
}

}  // namespace morpheus::sim
