// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/kernel/fake_kernel.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "proto/monotonic_clock.hpp"

namespace morpheus::daemon {
namespace {

template <class T>
T load(T& field) {
  return std::atomic_ref<T>(field).load(std::memory_order_acquire);
}

template <class T>
void store(T& field, T value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_release);
}

morpheus_event event_of(const morpheus_worker_record& record, morpheus_event_type type,
                        std::uint32_t slot, std::uint64_t now) {
  morpheus_event event{};
  event.time_ns = now;
  event.seq = record.seq;
  event.slot = slot;
  event.generation = record.generation;
  event.type = static_cast<__u16>(type);
  event.value_ns = now - record.hinted_at_ns;
  return event;
}

}  // namespace

Result<void> FakeKernel::start(const morpheus_tunables& tunables) {
  tunables_ = tunables;
  if (options_.hint_interval_ms == 0) return {};
  timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer_) return fail_errno("create timer");
  timespec interval{};
  interval.tv_sec = options_.hint_interval_ms / 1000;
  interval.tv_nsec = (options_.hint_interval_ms % 1000) * 1'000'000l;
  const itimerspec setting{interval, interval};
  if (::timerfd_settime(timer_.get(), 0, &setting, nullptr) != 0) return fail_errno("set timer");
  return {};
}

void FakeKernel::stop() {
  timer_.reset();
  mode_ = Mode::observer;
}

Result<void> FakeKernel::set_mode(Mode mode) {
  if (mode == Mode::enforced && !options_.refuse_enforced.empty())
    return fail(options_.refuse_enforced);
  mode_ = mode;
  return {};
}

SchedulerReport FakeKernel::report() {
  SchedulerReport report;
  report.attached = mode_ == Mode::enforced && !options_.eject;
  report.kernel_state = report.attached ? "enabled" : "disabled";
  if (report.attached) report.kernel_ops = "morpheus_fake";
  if (!options_.refuse_enforced.empty()) report.why_not = options_.refuse_enforced;
  if (mode_ == Mode::enforced && options_.eject)
    report.last_exit =
        std::make_shared<SchedulerExit>(SchedulerExit{.cause = MORPHEUS_EXIT_EJECTED,
                                                      .time_ns = monotonic_ns(),
                                                      .code = 0,
                                                      .reason = "ejected by the fake kernel",
                                                      .message = {},
                                                      .dump = "no dump\n"});
  return report;
}

std::function<void()> FakeKernel::rescue() {
  if (!options_.canary || mode_ != Mode::enforced) return {};
  return [] {};
}

Result<void> FakeKernel::add_worker(const WorkerSpec& spec) {
  FakeRecord worker{spec, {}};
  worker.record.tid = spec.tid;
  worker.record.generation = spec.generation;
  worker.record.state = MORPHEUS_WORKER_REGISTERED;
  worker.record.seq = worker.record.ended_seq = spec.first_seq;
  auto& line = worker.kernel_line();
  line = {};
  store(line.withdrawn_seq, static_cast<__u64>(spec.first_seq));
  line.worker_state = MORPHEUS_WORKER_REGISTERED;
  store(line.preempt_seq, static_cast<__u64>(spec.first_seq));
  workers_[spec.slot] = worker;
  return {};
}

void FakeKernel::set_worker_state(std::uint32_t slot, morpheus_worker_state state) {
  auto& worker = workers_.at(slot);
  worker.record.state = state;
  worker.kernel_line().worker_state = static_cast<__u8>(state);
}

morpheus_worker_record FakeKernel::worker(std::uint32_t slot) const {
  const auto it = workers_.find(slot);
  return it == workers_.end() ? morpheus_worker_record{} : it->second.record;
}

void FakeKernel::drain_events(const Each& each) {
  std::uint64_t expirations = 0;
  if (timer_ && ::read(timer_.get(), &expirations, sizeof(expirations)) < 0) expirations = 0;
  const bool hint = std::exchange(hint_next_, false) || expirations > 0;
  const std::uint64_t now = monotonic_ns();
  for (auto& [slot, worker] : workers_) {
    if (worker.record.state != MORPHEUS_WORKER_RUNNING) continue;
    notice_acknowledgement(worker, now, each);
    notice_lateness(worker, now, each);
    if (!hint) continue;
    const auto& record = worker.record;
    if (record.seq != record.ended_seq && record.seq == record.lost_seq)
      withdraw(worker, now, each);
    if (record.seq == record.ended_seq) this->hint(worker, now, each);
  }
}

void FakeKernel::notice_acknowledgement(FakeRecord& worker, std::uint64_t now, const Each& each) {
  auto& record = worker.record;
  if (record.seq == record.ended_seq) return;
  if (load(worker.runtime_line().last_ack_seq) < record.seq) return;
  auto event = event_of(record, MORPHEUS_EVENT_ACKNOWLEDGED, worker.spec.slot, now);
  record.ended_seq = record.seq;
  ++record.acknowledged;
  const std::uint64_t claimed = load(worker.runtime_line().last_ack_ns);
  event.value_ns = std::clamp(claimed, static_cast<std::uint64_t>(record.hinted_at_ns), now) -
                   record.hinted_at_ns;
  each(event);
}

void FakeKernel::notice_lateness(FakeRecord& worker, std::uint64_t now, const Each& each) {
  auto& record = worker.record;
  if (record.seq == record.ended_seq || record.seq == record.lost_seq ||
      now - record.hinted_at_ns < tunables_.grace_ns)
    return;
  ++record.lost;
  record.lost_seq = record.seq;
  ++worker.kernel_line().hint_loss_count;
  if (blame_) sample(worker, now);
  each(event_of(record, MORPHEUS_EVENT_LOST, worker.spec.slot, now));
}

void FakeKernel::withdraw(FakeRecord& worker, std::uint64_t now, const Each& each) {
  auto& record = worker.record;
  record.ended_seq = record.seq;
  ++record.withdrawn;
  store(worker.kernel_line().withdrawn_seq, record.seq);
  each(event_of(record, MORPHEUS_EVENT_WITHDRAWN, worker.spec.slot, now));
}

void FakeKernel::sample(const FakeRecord& worker, std::uint64_t now) const {
  const auto& record = worker.record;
  morpheus_blame_sample sample{};
  sample.head = {.kind = MORPHEUS_BLAME_SAMPLE,
                 .slot = worker.spec.slot,
                 .generation = record.generation,
                 .uid = ::getuid(),
                 .seq = record.seq,
                 .time_ns = now};
  sample.age_ns = now - record.hinted_at_ns;
  sample.cause = MORPHEUS_BLAME_LATE;
  std::strncpy(sample.thread, "fake", sizeof(sample.thread) - 1);
  sample.stack_bytes = 2 * sizeof(morpheus_blame_frame);
  sample.frames[0].status = MORPHEUS_FRAME_BUILD_ID;
  sample.frames[0].at = 0x1000;
  sample.frames[1].status = MORPHEUS_FRAME_ADDRESS;
  sample.frames[1].at = 0x2000;
  blame_(sample);
  morpheus_blame_wait wait{};
  wait.head = sample.head;
  wait.head.kind = MORPHEUS_BLAME_WAIT;
  wait.head.uid = 0;
  wait.waited_ns = sample.age_ns;
  wait.tid = wait.pid = 1;
  std::strncpy(wait.thread, "waiter", sizeof(wait.thread) - 1);
  std::strncpy(wait.process, "fake", sizeof(wait.process) - 1);
  blame_(wait);
}

void FakeKernel::hint(FakeRecord& worker, std::uint64_t now, const Each& each) {
  auto& record = worker.record;
  record.hinted_at_ns = now;
  ++record.seq;
  ++record.hints[MORPHEUS_HINT_PRESSURE];
  auto& line = worker.kernel_line();
  line.hint_reason = MORPHEUS_HINT_PRESSURE;
  line.hint_deadline_ns = now + tunables_.grace_ns;
  store(line.preempt_seq, record.seq);
  auto event = event_of(record, MORPHEUS_EVENT_HINT, worker.spec.slot, now);
  event.reason = MORPHEUS_HINT_PRESSURE;
  each(event);
}

}  // namespace morpheus::daemon
