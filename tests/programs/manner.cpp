// SPDX-License-Identifier: GPL-2.0-only
#include "tests/programs/manner.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace morpheus::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
constexpr auto kUnit = 50us;

void must(int error, const char* what) {
  if (error == 0) return;
  std::fprintf(stderr, "load: %s: %s\n", what, morpheus_error_text(error));
  std::_Exit(91);
}

void burn(std::chrono::nanoseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) {
  }
}

std::uint64_t ns_since(Clock::time_point start) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now() - start).count());
}

}  // namespace

Actor::Actor(const ThreadSpec& spec, Account& account, witness_mark* mark, std::mutex& lock,
             Match match)
    : spec_(spec), account_(account), mark_(mark), lock_(lock), match_(match) {
  if (is_worker(spec_.manner)) enlist();
  account_.tid = ::gettid();
  if (mark_ != nullptr) {
    mark_->critical = spec_.manner == Manner::critical ? 1 : 0;
    mark_->tid = static_cast<unsigned>(::gettid());
  }
  here_ = morpheus_safepoint_get();
  if (self_ != nullptr) account_.hints = __atomic_load_n(here_.seq, __ATOMIC_RELAXED);
}

void Actor::enlist() {
  must(morpheus_worker_register(&self_), "register");
  // before the worker can be hinted: on a slow machine it would be late and not yet critical
  if (spec_.manner == Manner::critical) morpheus_critical_enter(self_);
  must(morpheus_set_escapable(spec_.escapable), "escapable");
  must(morpheus_set_policy(static_cast<morpheus_escalation_policy>(spec_.policy)), "policy");
  must(morpheus_set_priority(spec_.priority), "priority");
  if (spec_.state != MORPHEUS_WORKER_REGISTERED)
    must(morpheus_worker_set_state(MORPHEUS_WORKER_RUNNING), "running");
  if (spec_.state == MORPHEUS_WORKER_QUIESCING)
    must(morpheus_worker_set_state(MORPHEUS_WORKER_QUIESCING), "quiescing");
}

void Actor::act() {
  for (;;) unit();
}

void Actor::unit() {
  switch (spec_.manner) {
    case Manner::sleeper:
      return sleep_and_look();
    case Manner::player:
      return play();
    case Manner::grabber:
      return grab();
    case Manner::yielder:
      std::this_thread::yield();
      return;
    case Manner::locker:
      lock_and_work();
      break;
    default:
      burn(kUnit);
  }
  claim();
  ++account_.safe_points;
  if (self_ != nullptr) look();
}

void Actor::sleep_and_look() {
  const auto due = Clock::now() + std::chrono::microseconds(spec_.sleep_us);
  std::this_thread::sleep_until(due);
  account_.times.add(ns_since(due));
  burn(std::chrono::microseconds(spec_.work_us));
}

// Half of the time without the lock. Both halves are long compared with a futex call.
void Actor::lock_and_work() {
  burn(kUnit);
  morpheus_critical_enter(self_);
  const auto start = Clock::now();
  {
    const std::lock_guard<std::mutex> held(lock_);
    account_.times.add(ns_since(start));
    burn(kUnit);
  }
  morpheus_critical_exit(self_);
}

void Actor::grab() {
  morpheus_critical_enter(self_);
  burn(8ms);
  morpheus_critical_exit(self_);
  std::this_thread::sleep_for(1us);
}

void Actor::play() {
  char ball = 0;
  if (match_.serves && ::write(match_.to, &ball, 1) != 1) std::_Exit(95);
  if (::read(match_.from, &ball, 1) != 1) std::_Exit(95);
  if (!match_.serves && ::write(match_.to, &ball, 1) != 1) std::_Exit(95);
  ++account_.safe_points;
}

// At a safe point.
void Actor::claim() {
  switch (spec_.manner) {
    case Manner::cooperative:
    case Manner::locker:
      morpheus_checkpoint(&here_);
      return;
    case Manner::acker:
      (void)morpheus_acknowledge(&here_);
      return;
    case Manner::prophet:
      if (!is_guided_) return;
      runtime_line().last_ack_seq = kernel_line().preempt_seq + 1000;
      return;
    case Manner::flipper:
      if (!is_guided_) return;
      runtime_line().escapable = runtime_line().escapable == 0 ? 1 : 0;
      return;
    default:
      return;
  }
}

void Actor::look() {
  morpheus_guidance guidance{};
  if (morpheus_get_guidance(&guidance) != 0) return;
  account_.last_escalation_ns = guidance.last_escalation_ns;
  account_.hints = __atomic_load_n(here_.seq, __ATOMIC_RELAXED);
  is_guided_ = guidance.source != 0;
  if (mark_ == nullptr || !is_guided_) return;
  const auto seq = kernel_line().preempt_seq;
  const bool is_open = seq > kernel_line().withdrawn_seq && seq != runtime_line().last_ack_seq;
  const auto now = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
  mark_->late = is_open && now > guidance.hint_deadline_ns ? 1 : 0;
}

// The library keeps pointers to the first fields of both lines; without a daemon those are no
// lines.
volatile morpheus_scb_runtime& Actor::runtime_line() const {
  return *reinterpret_cast<volatile morpheus_scb_runtime*>(self_->critical);
}

const volatile morpheus_scb_kernel& Actor::kernel_line() const {
  return *reinterpret_cast<const volatile morpheus_scb_kernel*>(here_.seq);
}

}  // namespace morpheus::test
