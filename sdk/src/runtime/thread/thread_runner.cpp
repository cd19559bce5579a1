// SPDX-License-Identifier: GPL-2.0-only
// The owner is inside throughout, but where it says leave().
#include "sdk/src/runtime/thread/thread_runner.hpp"

#include <morpheus/detail/timer.hpp>

#include <sched.h>

#include "proto/monotonic_clock.hpp"
#include "sdk/src/sync/race_detector.hpp"

namespace morpheus::sdk {

using detail::job;

namespace {

/// How often a thread that has tasks looks for events.
constexpr std::uint64_t kPollNs = 50'000;

}  // namespace

ThreadRunner::ThreadRunner(PoolState& pool, PoolLanes& lanes, const Peers& peers, unsigned index)
    : SharedRunner(pool, lanes, index), peers_(peers), disorder_(pool.options.shuffle_seed, index) {
  if (disorder_.is_on()) attention_.store(detail::kShuffled, std::memory_order_relaxed);
}

ThreadRunner::Sight ThreadRunner::sight() const {
  job* const running = running_.load(std::memory_order_acquire);
  const bool is_away = running == away();
  return {.running = is_away || running == inside() ? nullptr : running,
          .is_away = is_away,
          .steps = counts_.steps.load(std::memory_order_relaxed)};
}

void ThreadRunner::trace(bool is_on) {
  if (is_on)
    attention_.fetch_or(detail::kTraced, std::memory_order_release);
  else
    attention_.fetch_and(~std::uint32_t{detail::kTraced}, std::memory_order_release);
}

// --- What comes next

job* ThreadRunner::yield_slowly(job* self) {
  wait_for_revocation();
  if (disorder_.is_on()) shuffle();
  if (ticks_ <= 0) tick();
  queue_forks();  // taken newest first; a task that yields waits for all of them
  if (has_posted()) take_in();
  ready_.push(self);
  job* const next = take();
  serve();
  return begin(next);
}

job* ThreadRunner::next_slowly() {
  wait_for_revocation();
  if (disorder_.is_on()) shuffle();
  if (ticks_ <= 0) tick();
  job* const next = take();
  if (next == nullptr) return nullptr;
  serve();
  return begin(next);
}

job* ThreadRunner::give_way(job* self) {
  note_release(self);
  enter();
  wait_for_revocation();
  if (morpheus_asked_here()) acknowledge();
  return yield_slowly(self);
}

void ThreadRunner::fork_slowly(job* const* forks, std::size_t count) {
  job* const first = forks[0];
  serve();
  for (std::size_t i = count; --i > 0;) {
    note_release(forks[i]);
    if (forks_.has_room(1))
      forks_.push(forks[i]);
    else
      ready_.push(forks[i]);
  }
  leave(first);
  pool().idle.call_one();
}

void ThreadRunner::unfork_slowly() {
  serve();
  leave(nullptr);
}

job* ThreadRunner::begin(job* next) {
  if ((attention_.load(std::memory_order_acquire) & detail::kTraced) != 0)
    pool().trace.call({index(), monotonic_ns(), next});
  return leave(next);
}

void ThreadRunner::shuffle() {
  while (!ready_.empty() && !disorder_.chance(3)) ready_.push(ready_.pop());
  if (!forks_.empty() && disorder_.chance(3)) ready_.push(forks_.pop_oldest());
  if (pool().threads() == 1) return;
  if (disorder_.chance(4)) share_some();
  if (disorder_.chance(16)) (void)::sched_yield();
}

// --- What is due

void ThreadRunner::tick() {
  const std::uint64_t now = monotonic_ns();
  counts_.steps.fetch_add(clock_.steps_made(ticks_), std::memory_order_relaxed);
  ticks_ = clock_.look(now);
  guidance_.check_critical_section();
  guidance_.update_mode(now);
  if (has_other_lanes()) {
    charge(now);
    if (has_posted()) take_in();
  }
  if (now - polled_ns_ >= kPollNs) poll(now);
  if (timers().earliest() <= now) fire_timers(now);
  if (morpheus_asked_here()) acknowledge();
}

/// Handlers of events may take long: they run outside the runtime, as a job does.
void ThreadRunner::poll(std::uint64_t now) {
  DriverSeat& seat = pool().driver_seat;
  if (!seat.take(index())) return;
  polled_ns_ = now;
  leave(nullptr);
  if (detail::driver* const driver = seat.driver()) driver->poll();
  seat.leave(index());
  enter();
  wait_for_revocation();
}

// --- The kernel

/// On a hint everything that waits here first becomes available to others; then the hint is
/// acknowledged; then the CPU is given up. If only the watch asks, on behalf of other tasks of this
/// thread, nothing is handed over.
void ThreadRunner::acknowledge() {
  if (guidance_.is_hinted() && pool().size > 1) hand_over();
  if (guidance_.acknowledge()) give_up_cpu();
}

/// Other threads may have it for long: meanwhile they can take what waits here, and one of them
/// keeps the timers.
void ThreadRunner::give_up_cpu() {
  leave(away());
  if (timers().earliest() != TimerQueue::kNever) call_stand_in();
  morpheus_yield();
  enter();
  wait_for_revocation();
}

/// The next thread that sleeps, if there is one, keeps the first timer from now on.
void ThreadRunner::call_stand_in() {
  for (std::size_t i = 1; i < peers_.size(); ++i) {
    ThreadRunner& other = *peers_[(index() + i) % peers_.size()];
    if (!other.sleeper().is_asleep()) continue;
    other.absent_.store(this, std::memory_order_release);
    return other.sleeper().wake();
  }
}

void ThreadRunner::hand_over_here() {
  ThreadRunner* const self = current();
  if (self == nullptr || self->pool().size == 1) return;
  job* const running = self->enter();
  self->wait_for_revocation();
  self->hand_over();
  self->leave(running);
}

}  // namespace morpheus::sdk

namespace morpheus::detail {

namespace {
sdk::ThreadRunner& slow(runner& self) { return static_cast<sdk::ThreadRunner&>(self); }
}  // namespace

job* runner::yield_slowly(job* self) noexcept { return slow(*this).yield_slowly(self); }
job* runner::next_slowly() noexcept { return slow(*this).next_slowly(); }
void runner::fork_slowly(job* const* forks, std::size_t count) noexcept {
  slow(*this).fork_slowly(forks, count);
}
void runner::unfork_slowly() noexcept { slow(*this).unfork_slowly(); }
void runner::serve() noexcept { slow(*this).serve(); }
void runner::call_idle_thread() noexcept { slow(*this).pool().idle.call_one(); }
std::coroutine_handle<> runner::give_way(job* self) noexcept {
  return transfer(slow(*this).give_way(self));
}

std::uint64_t timer::now_ns() noexcept { return monotonic_ns(); }
void timer::prepare() noexcept { slow(*here).timers().prepare(*this); }
bool timer::start(job* task) {
  sdk::note_release(task);
  return slow(*here).timers().add(*this, task, here->where());
}
void timer::start_selected(select_state& among) {
  among_ = &among;
  (void)start(nullptr);
}
void timer::stop() noexcept { sdk::TimerQueue::stop(*this); }
bool timer::cancel() noexcept { return sdk::TimerQueue::cancel(*this); }

}  // namespace morpheus::detail
